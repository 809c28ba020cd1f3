"""Slices cover everything once, and the limit holds."""

from __future__ import annotations

import os
import threading

import pytest

from quetzalcore.vgpu import for_slices, limit_workers, map_threads, worker_count


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 7, 1000])
@pytest.mark.parametrize("min_slice", [1, 100])
def test_slices_cover_the_range_once(workers: int, count: int, min_slice: int) -> None:
    seen: list[tuple[int, int]] = []
    lock = threading.Lock()

    def work(start: int, stop: int) -> None:
        with lock:
            seen.append((start, stop))

    with limit_workers(workers):
        for_slices(count, work, min_slice=min_slice)
    covered = [i for start, stop in sorted(seen) for i in range(start, stop)]
    assert covered == list(range(count))
    assert all(stop - start >= min(min_slice, count) for start, stop in seen)


def test_what_a_slice_raises_reaches_the_caller() -> None:
    def work(start: int, _stop: int) -> None:
        if start:
            raise ArithmeticError

    with limit_workers(2), pytest.raises(ArithmeticError):
        for_slices(100, work)


def test_results_come_in_order() -> None:
    assert map_threads(lambda x: x * x, range(50)) == [x * x for x in range(50)]


def test_limits_nest_and_are_at_least_one() -> None:
    before = worker_count()
    with limit_workers(4):
        assert worker_count() == 4
        with limit_workers(0):
            assert worker_count() == 1
        assert worker_count() == 4
    assert worker_count() == before


def test_where_affinity_is_unknown_all_processors_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert worker_count() == 1
