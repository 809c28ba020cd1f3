"""What is written on machines, and how it is read again."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from quetzalcore.autoscaler.marks import Fence, Mark, mark_of, tags_of
from quetzalcore.autoscaler.model import Shape
from quetzalcore.jobs.ledger import StaleEpoch

SHAPE = Shape(name="small", cpus=0.5, memory_mib=2048, vgpus=1)
MARK = Mark(
    cluster="quetzal",
    order="w-7",
    epoch=12,
    launched_at=dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC),
    shape=SHAPE,
)


def test_a_mark_is_read_as_it_was_written() -> None:
    assert mark_of(tags_of(MARK, prefix="p-"), prefix="p-", cluster="quetzal") == MARK


def test_a_shape_that_is_still_offered_is_known_with_its_price() -> None:
    priced = Shape(name="small", cpus=0.5, memory_mib=2048, vgpus=1, hourly_price=0.2)
    found = mark_of(tags_of(MARK, prefix=""), prefix="", cluster="quetzal", shapes=(priced,))
    assert found is not None
    assert found.shape == priced


def test_tags_are_what_the_narrowest_cloud_takes() -> None:
    for name, value in tags_of(MARK, prefix="quetzalcore-").items():
        assert re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", name)
        assert re.fullmatch(r"[a-z0-9_-]{0,63}", value)


@pytest.mark.parametrize(
    "changed",
    [
        {"role": "gateway"},
        {"cluster": "another"},
        {"epoch": "twelve"},
        {"millicpus": ""},
        {"launched": "9" * 30},
        {"vgpus": []},
    ],
    ids=["role", "cluster", "epoch", "cpus", "launched", "vgpus"],
)
def test_what_is_not_ours_or_spoilt_is_left_alone(changed) -> None:
    assert mark_of({**tags_of(MARK, prefix=""), **changed}, prefix="", cluster="quetzal") is None


def test_a_machine_without_all_tags_is_not_ours() -> None:
    tags = tags_of(MARK, prefix="")
    del tags["order"]
    assert mark_of(tags, prefix="", cluster="quetzal") is None


def test_a_fence_lets_the_same_and_later_leaders_pass() -> None:
    fence = Fence()
    fence.admit(3)
    fence.admit(3)
    fence.see()
    fence.see(5, 4)
    with pytest.raises(StaleEpoch, match="epoch 4 is over: epoch 5 leads"):
        fence.admit(4)
    fence.admit(6)
    with pytest.raises(StaleEpoch):
        fence.admit(5)
