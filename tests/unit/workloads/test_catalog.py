from __future__ import annotations

import importlib
import inspect
import logging
from importlib.metadata import EntryPoint

import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.workloads.catalog import GROUP, OURS, catalog, find_kind, load_kind
from quetzalcore.workloads.kind import Kind
from quetzalcore.workloads.parameters import canonical_params


def test_every_kind_of_the_product_is_there() -> None:
    assert set(OURS) == {
        "inspect", "mag_survey", "cost_analysis", "igrf", "discriminate", "target_drills", "wasm",
        "noop",
    }  # fmt: skip
    assert set(OURS) <= set(catalog())


@pytest.mark.parametrize("kind", OURS.values(), ids=lambda kind: kind.name)
def test_a_kind_names_a_function_of_one_task(kind: Kind) -> None:
    module, _, name = kind.run.partition(":")
    function = getattr(importlib.import_module(module), name)
    assert list(inspect.signature(function).parameters) == ["task"]


@pytest.mark.parametrize("kind", OURS.values(), ids=lambda kind: kind.name)
def test_a_kind_s_example_is_valid_and_canonical_parameters_stay_as_they_are(kind: Kind) -> None:
    canonical = canonical_params(kind, kind.example)
    assert canonical_params(kind, canonical) == canonical


@pytest.mark.parametrize("kind", OURS.values(), ids=lambda kind: kind.name)
def test_a_kind_asks_for_more_the_more_it_is_given_and_stays_within_a_node(kind: Kind) -> None:
    canonical = canonical_params(kind, kind.example)
    few, many, huge = (
        kind.resources(canonical, {"a.csv": size}) for size in (10**3, 10**8, 10**13)
    )
    assert 256 <= few.memory_mib <= many.memory_mib <= huge.memory_mib <= 32 * 1024
    assert few.cpus >= 1.0
    assert huge.scratch_mib <= 64 * 1024


def test_what_opens_strangers_files_or_runs_their_code_is_never_forked() -> None:
    assert {kind.name for kind in OURS.values() if kind.forkable} == {
        "igrf", "cost_analysis", "noop",
    }  # fmt: skip


def test_an_unknown_kind_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(BadParameter, match=r"no job kind 'gold'.*use one of cost_analysis"):
        find_kind("gold", catalog())
    assert find_kind("igrf", catalog()) is OURS["igrf"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("no_such_package.kinds:KIND", "cannot be loaded"),
        ("quetzalcore.workloads.catalog:NOT_THERE", "cannot be loaded"),
        ("quetzalcore.workloads.catalog:GROUP", "is not a Kind"),
        ("quetzalcore.workloads.igrf.kind:KIND", "the name of one of ours"),
    ],
)
def test_a_broken_package_is_left_out_with_a_warning_that_names_it(
    value: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert load_kind(EntryPoint(name="theirs", value=value, group=GROUP)) is None
    assert words in caplog.text
    assert value in caplog.text
