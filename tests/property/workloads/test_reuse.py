from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quetzalcore.workloads.catalog import OURS
from quetzalcore.workloads.reuse import data_versions, reuse_key

IGRF = OURS["igrf"]
_SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False)
)  # fmt: skip
_JSON = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
_PARAMS = st.dictionaries(st.text(max_size=4), _JSON, max_size=4)
_DIGESTS = st.dictionaries(st.text(max_size=6), st.text("0123456789abcdef", max_size=6), max_size=3)


def backwards(value: Any) -> Any:  # noqa: ANN401 -- JSON
    if isinstance(value, dict):
        return {key: backwards(value[key]) for key in reversed(value)}
    return [backwards(item) for item in value] if isinstance(value, list) else value


def same(a: Any, b: Any) -> bool:  # noqa: ANN401 -- JSON
    """Equal as JSON: 1, 1.0 and true differ, the order of keys does not."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return repr(a) == repr(b)


@settings(deadline=None)
@given(params=_PARAMS, digests=_DIGESTS)
def test_the_order_of_keys_does_not_matter(params: dict, digests: dict) -> None:
    data = data_versions()
    key = reuse_key("t", IGRF, params, digests, data)
    again = reuse_key("t", IGRF, backwards(params), backwards(digests), backwards(data))
    assert key == again


@settings(deadline=None)
@given(first=_PARAMS, second=_PARAMS)
def test_different_parameters_have_different_keys(first: dict, second: dict) -> None:
    assume(not same(first, second))
    assert reuse_key("t", IGRF, first, {}, {}) != reuse_key("t", IGRF, second, {}, {})


@settings(deadline=None)
@given(first=_DIGESTS, second=_DIGESTS)
def test_different_files_or_names_have_different_keys(first: dict, second: dict) -> None:
    assume(first != second)
    assert reuse_key("t", IGRF, {}, first, {}) != reuse_key("t", IGRF, {}, second, {})


@settings(deadline=None)
@given(tenant=st.text(min_size=1, max_size=8), other=st.text(min_size=1, max_size=8))
def test_a_key_begins_with_its_tenant_and_is_of_no_other(tenant: str, other: str) -> None:
    key = reuse_key(tenant, IGRF, {}, {}, {})
    assert key.startswith(f"{tenant}:")
    if tenant != other:
        theirs = reuse_key(other, IGRF, {}, {}, {})
        assert key != theirs
        assert key.rpartition(":")[2] != theirs.rpartition(":")[2]


def test_the_kind_its_version_and_the_data_count() -> None:
    keys = {
        reuse_key("t", kind, {}, {}, data)
        for kind in (IGRF, replace(IGRF, version="2"), OURS["cost_analysis"])
        for data in ({}, data_versions(), data_versions({"rates_toml": "x = 1"}))
    }
    assert len(keys) == 9


def test_an_operator_s_own_data_count_only_where_they_differ() -> None:
    ours = data_versions()
    assert set(ours) == {"igrf", "rates", "priors"}
    theirs = data_versions({"priors_toml": "anything"})
    assert {name for name in ours if ours[name] != theirs[name]} == {"priors"}
    assert data_versions({"rates_toml": None}) == ours


def test_what_must_not_be_reused_has_no_key() -> None:
    assert reuse_key("t", OURS["noop"], {}, {}, {}) == ""
