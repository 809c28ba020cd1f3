"""Equivalent sources: all of Osborne on two cores, and 10,000 points against harmonica."""

from __future__ import annotations

import sys
import time
import warnings

import numpy as np
from numpy.typing import NDArray

from benchmarks.gridding import peak_mb
from benchmarks.osborne_holdout import HoldOut, read_hold_out
from benchmarks.race import Figure, peer_version
from quetzalcore.geophysics.gridding import EquivalentSources, fit_equivalent_sources

__all__ = ["figures"]

Floats = NDArray[np.float64]
_WHOLE = """
from benchmarks.equivalent_sources import fit, read_hold_out
data = read_hold_out()
fit(data.train)
"""


def fit(table: Floats) -> EquivalentSources:
    """Fit sources with the defaults to (n, 4) easting, northing, height, anomaly."""
    return fit_equivalent_sources(*np.ascontiguousarray(table.T))


def figures() -> list[Figure]:
    """Measure the whole survey, then race both on the same 10,000 points."""
    data = read_hold_out()
    fit(data.train[::50])  # compile
    return [*_whole_survey(data), *_race(data)]


def _whole_survey(data: HoldOut) -> list[Figure]:
    everything = np.concatenate([data.train, data.test])
    start = time.perf_counter()
    model = fit(everything)
    elapsed = time.perf_counter() - start
    held = fit(data.train)
    error = held.predict(*np.ascontiguousarray(data.test[:, :3].T)) - data.test[:, 3]
    rms, median = float(np.sqrt(np.mean(error**2))), float(np.median(np.abs(error)))
    memory = peak_mb((sys.executable, "-c", _WHOLE))
    sizes = "+".join(f"{len(layer.strength):,}" for layer in model.layers)
    work = f"equivalent sources, Osborne's traverses, {len(everything):,} points"
    return [
        Figure(
            work=f"{work}: fit",
            ours=f"{elapsed:.1f} s, {sizes} sources, RMS of fit {model.fit_rms_nt:.1f} nT",
            bar="under 60 s",
            met=elapsed < 60.0,
        ),
        Figure(
            work=f"{work}: peak memory of the process",
            ours=f"{memory:.0f} MB",
            bar="under 2000 MB",
            met=memory < 2000.0,
        ),
        Figure(
            work=f"{work}: held-out traverses",
            ours=f"RMS {rms:.2f} nT, median absolute {median:.2f} nT",
            bar="reported",
            met=True,
        ),
    ]


def _race(data: HoldOut) -> list[Figure]:
    """Fit 10,000 points of Osborne's southern block and predict 10,000 others, once each."""
    south = data.train[data.train[:, 1] < np.quantile(data.train[:, 1], 0.25)]
    table = south[:: len(south) // 20_000]
    train, test = np.ascontiguousarray(table[0:20_000:2].T), table[1:20_000:2]
    points = np.ascontiguousarray(test[:, :3].T)
    start = time.perf_counter()
    ours = fit_equivalent_sources(*train).predict(*points)
    ours_s = time.perf_counter() - start
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peer's own deprecations
        import harmonica as hm  # noqa: PLC0415 -- a peer

        start = time.perf_counter()
        peer = hm.EquivalentSourcesGB(depth=280.0, damping=1.0, window_size=5e3, random_state=1)
        peer.fit(tuple(train[:3]), train[3])
        theirs = peer.predict(tuple(points))
        peer_s = time.perf_counter() - start
    errors = [float(np.sqrt(np.mean((p - test[:, 3]) ** 2))) for p in (ours, theirs)]
    name = f"{peer_version('harmonica')} EquivalentSourcesGB"
    work = "equivalent sources, fit 10,000 points and predict 10,000"
    return [
        Figure(
            work=f"{work}: time",
            ours=f"{ours_s:.2f} s",
            peer=f"{peer_s:.2f} s",
            peer_name=name,
            ratio=peer_s / ours_s,
            bar="faster than harmonica",
            met=ours_s < peer_s,
        ),
        Figure(
            work=f"{work}: RMS at the others",
            ours=f"{errors[0]:.2f} nT",
            peer=f"{errors[1]:.2f} nT",
            peer_name=name,
            ratio=errors[1] / errors[0],
            bar="at or below harmonica",
            met=errors[0] <= errors[1],
        ),
    ]
