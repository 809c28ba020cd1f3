"""How many CPU threads kernels may use, and the loop that spreads slices over them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar, copy_context
from itertools import pairwise
from typing import TypeVar

from quetzalcore.vgpu.meter import leased_meter

__all__ = ["for_slices", "limit_workers", "map_threads", "worker_count"]

T = TypeVar("T")
R = TypeVar("R")

_LIMIT: ContextVar[int | None] = ContextVar("quetzalcore_workers", default=None)
_SLICES_PER_WORKER = 4  # uneven slices even out; more only adds overhead


def worker_count() -> int:
    """Return the number of threads that kernels may use here: the limit, or the CPUs we may run on."""
    limit = _LIMIT.get()
    if limit is not None:
        return limit
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def limit_workers(count: int) -> Iterator[None]:
    """Hold every kernel called inside the block to ``count`` threads."""
    token = _LIMIT.set(max(1, count))
    try:
        yield
    finally:
        _LIMIT.reset(token)


def for_slices(count: int, work: Callable[[int, int], object], *, min_slice: int = 1) -> None:
    """Call ``work(start, stop)`` for slices that cover ``range(count)``, on all threads.

    ``work`` must release the GIL to gain from it and must write to disjoint places. Slices are never
    shorter than ``min_slice`` (but the last); with one worker or one slice no thread is started.
    """
    workers = worker_count()
    slices = max(1, min(workers * _SLICES_PER_WORKER, count // max(1, min_slice)))
    if workers == 1 or slices == 1:
        with _counted():
            work(0, count)
        return
    edges = [count * i // slices for i in range(slices + 1)]
    map_threads(lambda ends: work(*ends), pairwise(edges))


def map_threads(function: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Return ``[function(item) for item in items]`` in order, computed on all threads.

    Each call sees the caller's limit on workers.
    """
    calls = [(copy_context(), item) for item in items]
    with _counted(), ThreadPoolExecutor(worker_count()) as pool:
        return list(pool.map(lambda call: call[0].run(function, call[1]), calls))


def _counted() -> AbstractContextManager[None]:
    meter = leased_meter()
    return nullcontext() if meter is None else meter.running()
