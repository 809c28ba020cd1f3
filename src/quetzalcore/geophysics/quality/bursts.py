"""Short anomalies along lines, and how far from the sensor a compact source of each would lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.quality.blocks import LineBlocks
from quetzalcore.geophysics.survey import Bools, Floats

__all__ = ["Bursts", "find_bursts"]

_REACH = 3.5  # half the window, in expected distances
_TREND = 3  # degree of the polynomial that stands for geology in a window
_SHAPES = 3  # of a dipole along a line
_DISTANCES = np.geomspace(0.4, 4.0, 12)  # tried, in expected distances
_FARTHEST = 2.0  # expected distances from a window's middle to a source
_SHIFT_STEP = 0.25  # source distances
_DEEP = 1.9  # expected distances: sources from here on are no longer at the ground
_TIMES = 5.0  # above the line's own level
_LEVEL_BLOCKS, _LEVEL_AROUND = 32, 4  # chunks of the line, and their number each way
_QUARTILE = 1.101  # lower one of the square root of chi-squared with three degrees of freedom
_APART = 1.0  # expected distances between one burst and the next


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bursts:
    """Places where the field has a short anomaly; every array has shape (k,).

    Parameters
    ----------
    block : (k,) intp
        Index of the block in the middle.
    amplitude_nt : (k,) float64
        Highest minus lowest of the fitted anomaly without its trend, nT.
    distance_m : (k,) float64
        Sensor to a compact source that fits best; at the ends of what was tried, 0.4 and 4 times
        the expected distance, it may be less or more.
    explained : (k,) float64
        Share of what the trend leaves that the best source explains, 0 to 1.
    nearer : (k,) float64
        How much better it fits than any source 1.9 expected distances away or farther: the misfit
        saved over the misfit left, per degree of freedom.
    """

    block: NDArray[np.intp]
    amplitude_nt: Floats
    distance_m: Floats
    explained: Floats
    nearer: Floats

    def __len__(self) -> int:
        """Count the bursts."""
        return len(self.block)

    def only(self, which: Bools) -> Bursts:
        """Return those that ``which`` (k,) marks."""
        return Bursts(
            block=self.block[which],
            amplitude_nt=self.amplitude_nt[which],
            distance_m=self.distance_m[which],
            explained=self.explained[which],
            nearer=self.nearer[which],
        )


def find_bursts(blocks: LineBlocks, *, expected_m: float) -> Bursts:
    """Find short anomalies and fit each with a compact source.

    The field of a dipole at distance h along a straight line is ``(a + b u + c u^2)(1 + u^2)^-2.5``
    with u the offset from the closest place over h, whatever the directions of moment and field.
    In windows of 3.5 expected distances each way, with a cubic trend for everything deeper, such
    shapes at the expected distance are fitted everywhere (three correlations); where their amplitude
    is a maximum and five times its own usual size on that part of the line, sources at
    twelve distances are fitted and compared.

    Parameters
    ----------
    blocks : LineBlocks
        Blocks of about a quarter of ``expected_m``.
    expected_m : float
        Distance at which sources are looked for, metres.

    Notes
    -----
    Nothing is found within 3.5 expected distances of the ends of a piece of line.
    """
    half = round(_REACH * expected_m / blocks.block_m)
    offset = np.arange(-half, half + 1)
    trend = _orthonormal(np.vander(offset / half, _TREND + 1))
    across = expected_m / blocks.block_m  # the expected distance in blocks
    size, whole = _amplitude(blocks, _shapes(offset, across, trend))
    top = _is_highest(size, max(1, round(_APART * across)))
    found = np.flatnonzero(top & whole & (size > _TIMES * _level(size, whole)))
    window = blocks.tmi_nt[found[:, None] + offset]
    left = window - (window @ trend) @ trend.T
    sources = [_best_shift(left, offset, trend, across=across, ratio=ratio) for ratio in _DISTANCES]
    return _nearest_fit(left, found, sources, expected_m)


def _orthonormal(columns: Floats) -> Floats:
    return np.asarray(np.linalg.qr(columns)[0], dtype=np.float64)


def _shapes(offset: Floats | NDArray[np.intp], distance: float, trend: Floats) -> Floats:
    """Give an orthonormal basis of a dipole's fields without their trend, (w, 3); in blocks."""
    u = offset / distance
    fields = np.column_stack([np.ones_like(u), u, u * u]) * ((1.0 + u * u) ** -2.5)[:, None]
    return _orthonormal(fields - trend @ (trend.T @ fields))


def _amplitude(blocks: LineBlocks, shapes: Floats) -> tuple[Floats, Bools]:
    """Return the root of the fitted energy around each block, and where the window is whole."""
    half, count = len(shapes) // 2, len(blocks.tmi_nt)
    size, whole = np.zeros(count), np.zeros(count, dtype=bool)
    inner = slice(half, count - half)
    if count <= 2 * half:
        return size, whole
    parts = [np.correlate(blocks.tmi_nt, shape, "valid") for shape in shapes.T]
    size[inner] = np.sqrt(np.square(parts).sum(axis=0))
    whole[inner] = blocks.piece[: count - 2 * half] == blocks.piece[2 * half :]
    return np.where(whole, size, 0.0), whole


def _level(size: Floats, whole: Bools) -> Floats:
    """Return the usual size of a part of a line: noise and geology together, (m,); inf if unknown.

    The lower quartile of each chunk, so that bursts themselves, which take much of a short line, hardly
    raise it.
    """
    chunks = -(-len(size) // _LEVEL_BLOCKS)
    table = np.full(chunks * _LEVEL_BLOCKS, np.nan)
    table[: len(size)] = np.where(whole, size, np.nan)
    usual = _quantile(table.reshape(chunks, _LEVEL_BLOCKS), part=4)
    padded = np.pad(usual, _LEVEL_AROUND, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * _LEVEL_AROUND + 1)
    level = np.repeat(_quantile(around, part=2) / _QUARTILE, _LEVEL_BLOCKS)[: len(size)]
    return np.where(np.isfinite(level), level, np.inf)


def _quantile(table: Floats, *, part: int) -> Floats:
    """Return what one in ``part`` of each row's numbers lie below; NaN where all are NaN."""
    known = np.isfinite(table).sum(axis=1)
    ordered = np.sort(table, axis=1)  # NaN last
    return np.asarray(ordered[np.arange(len(table)), np.maximum(known - 1, 0) // part])


def _is_highest(size: Floats, apart: int) -> Bools:
    from scipy.ndimage import maximum_filter1d  # noqa: PLC0415 -- slow import

    return np.asarray(size >= maximum_filter1d(size, 2 * apart + 1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Source:
    """The best source at one distance for every window: energy, place in blocks, range of its field."""

    energy: Floats
    shift: NDArray[np.intp]
    range_nt: Floats


def _best_shift(
    left_nt: Floats, offset: NDArray[np.intp], trend: Floats, *, across: float, ratio: float
) -> _Source:
    """Fit windows without their trend, (k, w), by a source at one distance anywhere near the middle.

    A short anomaly's largest amplitude is not always above its source: that of a deeper one may
    show in a lobe.
    """
    step = max(1, round(_SHIFT_STEP * ratio * across))
    farthest = max(1, round(min(ratio, _FARTHEST) * across)) // step * step
    shifts = np.arange(-farthest, farthest + 1, step)
    shapes = np.array([_shapes(offset - shift, ratio * across, trend) for shift in shifts])
    weight = np.tensordot(left_nt, shapes, axes=(1, 1))  # (k, shifts, 3)
    energy = np.square(weight).sum(axis=2)
    best, each = energy.argmax(axis=1), np.arange(len(left_nt))
    fields = np.einsum("kws,ks->kw", shapes[best], weight[each, best])
    return _Source(energy=energy[each, best], shift=shifts[best], range_nt=np.ptp(fields, axis=1))


def _nearest_fit(
    left_nt: Floats, found: NDArray[np.intp], sources: list[_Source], expected_m: float
) -> Bursts:
    """Choose among the distances for every window."""
    total = np.square(left_nt).sum(axis=1)
    misfit = np.maximum(total - np.array([source.energy for source in sources]), 0.0)
    best = misfit.argmin(axis=0)
    each = np.arange(len(found))
    least = misfit[best, each]
    freedom = left_nt.shape[1] - _TREND - 1 - _SHAPES - 2
    floor = np.finfo(np.float64).eps * total + np.finfo(np.float64).tiny
    deep = misfit[_DISTANCES > _DEEP].min(axis=0)
    return Bursts(
        block=found + np.array([source.shift for source in sources])[best, each],
        amplitude_nt=np.array([source.range_nt for source in sources])[best, each],
        distance_m=expected_m * _between(misfit, best),
        explained=1.0 - least / np.maximum(total, floor),
        nearer=freedom * (deep - least) / np.maximum(least, floor),
    )


def _between(misfit: Floats, best: NDArray[np.intp]) -> Floats:
    """Return the distance of least misfit, refined by a parabola through three of those tried."""
    each = np.arange(len(best))
    middle = np.clip(best, 1, len(misfit) - 2)
    low, here, high = (misfit[middle + k, each] for k in (-1, 0, 1))
    bend = low - 2.0 * here + high
    shift = np.where(bend > 0.0, 0.5 * (low - high) / np.where(bend > 0.0, bend, 1.0), 0.0)
    step = np.log(_DISTANCES[1] / _DISTANCES[0])
    place = np.where(best == middle, middle + np.clip(shift, -0.5, 0.5), best)
    return np.asarray(_DISTANCES[0] * np.exp(step * place))
