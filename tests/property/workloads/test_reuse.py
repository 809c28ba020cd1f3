from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quetzalcore.workloads.catalog import OURS
from quetzalcore.workloads.parameters import canonical_params, with_assumed
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


_DAYS = st.dates(dt.date(2020, 1, 1), dt.date(2029, 12, 31))
_DATES = st.none() | st.just("2024-05-14")
_ANGLES = st.none() | st.just(12.5)


@st.composite
def dated(draw: st.DrawFn) -> tuple[str, dict[str, Any], bool]:
    """Draw a kind, parameters for it, and whether they leave the day of the main field open."""
    kind = draw(st.sampled_from(["mag_survey", "target_drills", "discriminate", "sources"]))
    date, assumed = draw(_DATES), draw(_DATES)
    angles = {"inclination_deg": draw(_ANGLES), "declination_deg": draw(_ANGLES)}
    is_open = date is None and assumed is None and None in angles.values()
    if kind == "mag_survey":
        return kind, {"input": {"date": date}, "field": {"date": assumed, **angles}}, is_open
    given = {"date": date, "assumed_date": assumed, **angles}
    if kind == "sources":  # observed ones have no field
        return "discriminate", {"observations": [{"width_m": 5}], **given}, False
    return kind, {"grid": "a.tif", **given}, is_open


@settings(deadline=None)
@given(asked=dated(), first=_DAYS, second=_DAYS)
def test_a_result_is_given_again_only_on_a_day_on_which_it_means_the_same(
    asked: tuple[str, dict[str, Any], bool], first: dt.date, second: dt.date
) -> None:
    name, given_, is_open = asked
    kind = OURS[name]
    params = canonical_params(kind, given_)
    one, said = with_assumed(kind, params, today=first)
    other, _ = with_assumed(kind, params, today=second)
    keys = {reuse_key("t", kind, each, {}, {}) for each in (one, other)}
    assert (len(keys) == 1) is (first == second or not is_open)
    assert bool(said) is is_open
    assert (one == params) is not is_open
    assert canonical_params(kind, one) == one  # what is filled in is valid, and in canonical form
    assert with_assumed(kind, one, today=second) == (one, ())  # and is never filled in again
