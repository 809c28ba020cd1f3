"""How a race is run and what it prints: interleaved runs, medians, ratios, versions."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

__all__ = ["Figure", "interleave", "peer_version"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured figure and the bar it is held to.

    Parameters
    ----------
    work : str
        What was done, with sizes.
    ours, peer : str
        Our figure and the peer's, with units, as text.
    peer_name : str
        The peer and its version and setting; empty for an absolute figure.
    ratio : float or None
        Peer over ours: above 1 means that we are better.
    bar : str
        The bar in words.
    met : bool
        Whether the figure meets the bar.
    """

    work: str
    ours: str
    peer: str = ""
    peer_name: str = ""
    ratio: float | None = None
    bar: str
    met: bool


def interleave(
    ours: Callable[[], object], peer: Callable[[], object], *, runs: int = 5, warmup: int = 1
) -> tuple[float, float, float]:
    """Time the two in turn, A B A B ..., and return (our median s, peer's median s, median ratio).

    The ratio is peer over ours, pair by pair, so that a machine that slows down midway slows both.
    """
    for _ in range(warmup):
        ours()
        peer()
    mine, theirs = [], []
    for _ in range(runs):
        mine.append(_timed(ours))
        theirs.append(_timed(peer))
    ratios = [b / a for a, b in zip(mine, theirs, strict=True)]
    return statistics.median(mine), statistics.median(theirs), statistics.median(ratios)


def peer_version(package: str) -> str:
    """Name an installed package with its version, as ``harmonica 0.7.0``."""
    return f"{package} {version(package)}"


def _timed(work: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
