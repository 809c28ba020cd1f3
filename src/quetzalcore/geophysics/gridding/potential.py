"""The sum of 1/r over many sources at many points, in tiles: near ones directly, far ones by nodes.

One level of the black-box fast multipole method (Fong and Darve, 2009, J. Comput. Phys. 228,
8712-8725): the sources of a tile are replaced by charges on Chebyshev nodes of the tile's box, seen by all
tiles that do not touch it, and the far field of a tile is interpolated from its own nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.gridding.spectrum import FarSpectrum
from quetzalcore.geophysics.survey import Floats, Ints
from quetzalcore.vgpu import fast_kernel, for_slices, kernel

__all__ = ["Tiling", "far_spectrum", "inverse_distance_sum", "make_tiling", "pair_matrix"]

_NODES = (5, 5, 3)  # Chebyshev nodes of a box: relative error about 1e-4 of the far field


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiling:
    """Square tiles: ``shape`` (rows, columns) of ``size_m``, from the south-west corner ``west, south``."""

    west_m: float
    south_m: float
    size_m: float
    shape: tuple[int, int]

    def number(self, easting_m: Floats, northing_m: Floats) -> Ints:
        """Return each point's tile in row-major order; -1 outside."""
        row = np.floor((northing_m - self.south_m) / self.size_m).astype(np.int32)
        column = np.floor((easting_m - self.west_m) / self.size_m).astype(np.int32)
        inside = (row >= 0) & (row < self.shape[0]) & (column >= 0) & (column < self.shape[1])
        return np.where(inside, row * np.int32(self.shape[1]) + column, -1).astype(np.int32)


def make_tiling(easting_m: Floats, northing_m: Floats, *, size_m: float) -> Tiling:
    """Cover positions with tiles."""
    west, south = float(easting_m.min()), float(northing_m.min())
    rows = int((float(northing_m.max()) - south) / size_m) + 1
    columns = int((float(easting_m.max()) - west) / size_m) + 1
    return Tiling(west_m=west, south_m=south, size_m=size_m, shape=(rows, columns))


def far_spectrum(tiling: Tiling, sources: Floats, targets: Floats) -> FarSpectrum:
    """Prepare many sums between the same sources and targets; its transpose serves the way back."""
    boxes = _Boxes.around(tiling, sources[:, 2], targets[:, 2])
    emitting, seeing = boxes.nodes(boxes.source_frame), boxes.nodes(boxes.frame)
    return FarSpectrum.between(tiling.shape, tiling.size_m, emitting, seeing)


def inverse_distance_sum(
    tiling: Tiling,
    sources: Floats,
    strength: Floats,
    targets: Floats,
    far: FarSpectrum | None = None,
) -> Floats:
    """Sum strength / distance over all sources at each target.

    Parameters
    ----------
    tiling : Tiling
        Covers all sources; tiles should be larger than the sources' and targets' range of height.
    sources, targets : (k, 3), (n, 3) float64
        Easting, northing and upward, metres. Targets must not coincide with sources; those outside
        the tiling are summed directly.
    strength : (k,) float64
    far : FarSpectrum, optional
        :func:`far_spectrum` of the same tiling, sources and targets: pays from a few sums on.

    Returns
    -------
    (n,) float64
        Strength's unit per metre.
    """
    tile = tiling.number(sources[:, 0], sources[:, 1])
    source_order = np.argsort(tile, kind="stable")
    starts = _starts(tile[source_order], tiling)
    packed = _packed(sources[source_order], strength[source_order])
    home = tiling.number(targets[:, 0], targets[:, 1])
    target_order = np.argsort(home, kind="stable")
    home = home[target_order]
    points = np.ascontiguousarray(targets[target_order].T)
    boxes = _Boxes.around(tiling, sources[:, 2], targets[:, 2])
    charges = boxes.charges(packed, starts, tiling)
    field = boxes.field(charges, tiling) if far is None else far.field(charges)
    field = field.reshape(-1, charges.shape[2])
    sums = np.empty(len(targets))

    def work(first: int, last: int) -> None:
        _near_sum(points, home, packed, starts, tiling.shape, sums, first, last)
        _far_sum(points, home, field, boxes.axes, boxes.frame, tiling.shape, sums, first, last)

    for_slices(len(targets), work, min_slice=256)
    result = np.empty(len(targets))
    result[target_order] = sums
    return result


def pair_matrix(targets: Floats, sources: Floats) -> Floats:
    """Return 1 / distance of each target (row) and source (column), per metre."""
    matrix = np.empty((len(targets), len(sources)))
    _fill_pairs(np.ascontiguousarray(targets.T), np.ascontiguousarray(sources.T), matrix)
    return matrix


def _packed(sources: Floats, strength: Floats) -> Floats:
    return np.ascontiguousarray(np.vstack([sources.T, strength]))


def _starts(tile: Ints, tiling: Tiling) -> NDArray[np.int64]:
    """Return where each tile's rows begin, and the end."""
    return np.searchsorted(tile, np.arange(tiling.shape[0] * tiling.shape[1] + 1))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Boxes:
    """Chebyshev nodes of a tile's box, the same in all tiles, for sources and for targets."""

    axes: tuple[Floats, ...]  # on [-1, 1]
    frame: Floats  # west, south, size, target mid height, half height
    source_frame: Floats

    @classmethod
    def around(cls, tiling: Tiling, source_upward_m: Floats, target_upward_m: Floats) -> _Boxes:
        axes = tuple(np.cos((np.arange(n) + 0.5) * np.pi / n) for n in _NODES)
        base = [tiling.west_m, tiling.south_m, tiling.size_m]

        def frame(upward_m: Floats) -> Floats:
            low, high = float(upward_m.min()), float(upward_m.max())
            return np.array([*base, 0.5 * (low + high), max(0.5 * (high - low), 1e-3)])

        return cls(axes=axes, frame=frame(target_upward_m), source_frame=frame(source_upward_m))

    def nodes(self, frame: Floats) -> Floats:
        """Return the nodes (k, 3) of the tile whose centre is the origin of easting and northing."""
        x, y, z = np.meshgrid(*self.axes, indexing="ij")
        half = frame[2] / 2.0
        return np.column_stack(
            [x.ravel() * half, y.ravel() * half, frame[3] + z.ravel() * frame[4]]
        )

    def charges(self, packed: Floats, starts: NDArray[np.int64], tiling: Tiling) -> Floats:
        """Return the charges (rows, columns, nodes) that stand for the sources of each tile."""
        rows, columns = tiling.shape
        flat = np.zeros((rows * columns, int(np.prod(_NODES))))
        for_slices(
            rows * columns,
            lambda a, b: _gather_charges(
                packed, starts, self.axes, self.source_frame, tiling.shape, flat, a, b
            ),
        )
        return flat.reshape(rows, columns, -1)

    def field(self, charges: Floats, tiling: Tiling) -> Floats:
        """Return the potential (rows, columns, nodes) of all tiles that do not touch the tile."""
        rows, columns = tiling.shape
        field = np.zeros_like(charges)
        seen, emitting = self.nodes(self.frame), self.nodes(self.source_frame)
        offsets = [
            (dy, dx)
            for dy in range(1 - rows, rows)
            for dx in range(1 - columns, columns)
            if max(abs(dy), abs(dx)) > 1
        ]
        for dy, dx in offsets:
            shift = np.array([dx * tiling.size_m, dy * tiling.size_m, 0.0])
            pairs = pair_matrix(emitting, seen + shift)
            to = np.s_[max(dy, 0) : rows + min(dy, 0), max(dx, 0) : columns + min(dx, 0)]
            source = np.s_[max(-dy, 0) : rows + min(-dy, 0), max(-dx, 0) : columns + min(-dx, 0)]
            field[to] += charges[source] @ pairs
        return field


@fast_kernel
def _fill_pairs(targets: Floats, sources: Floats, out: Floats) -> None:
    for i in range(targets.shape[1]):
        x, y, z = targets[0, i], targets[1, i], targets[2, i]
        for k in range(sources.shape[1]):
            dx, dy, dz = sources[0, k] - x, sources[1, k] - y, sources[2, k] - z
            out[i, k] = 1.0 / np.sqrt(dx * dx + dy * dy + dz * dz)


@fast_kernel
def _direct(x: float, y: float, z: float, packed: Floats, first: int, last: int) -> float:
    total = 0.0
    for k in range(first, last):
        dx, dy, dz = packed[0, k] - x, packed[1, k] - y, packed[2, k] - z
        total += packed[3, k] / np.sqrt(dx * dx + dy * dy + dz * dz)
    return total


@kernel
def _near_sum(
    points: Floats,
    home: Ints,
    packed: Floats,
    starts: NDArray[np.int64],
    shape: tuple[int, int],
    sums: Floats,
    first: int,
    last: int,
) -> None:
    """Sum over the 3 x 3 tiles around each target; over everything for targets outside."""
    for i in range(first, last):
        x, y, z = points[0, i], points[1, i], points[2, i]
        if home[i] < 0:
            sums[i] = _direct(x, y, z, packed, 0, packed.shape[1])
            continue
        row, column = home[i] // shape[1], home[i] % shape[1]
        west, east = max(column - 1, 0), min(column + 1, shape[1] - 1)
        total = 0.0
        for r in range(max(row - 1, 0), min(row + 2, shape[0])):
            total += _direct(
                x, y, z, packed, starts[r * shape[1] + west], starts[r * shape[1] + east + 1]
            )
        sums[i] = total


@kernel
def _lagrange(nodes: Floats, t: float, out: Floats) -> None:
    for q in range(len(nodes)):
        value = 1.0
        for r in range(len(nodes)):
            if r != q:
                value *= (t - nodes[r]) / (nodes[q] - nodes[r])
        out[q] = value


@kernel
def _box_weights(
    axes: tuple[Floats, ...],
    frame: Floats,
    tile: tuple[int, int],
    position: tuple[float, float, float],
    out: Floats,
) -> None:
    """Write the three rows of Lagrange weights of a position in its tile's box."""
    half = 0.5 * frame[2]
    _lagrange(axes[0], (position[0] - frame[0] - (2 * tile[1] + 1) * half) / half, out[0])
    _lagrange(axes[1], (position[1] - frame[1] - (2 * tile[0] + 1) * half) / half, out[1])
    _lagrange(axes[2], (position[2] - frame[3]) / frame[4], out[2])


@kernel
def _gather_charges(
    packed: Floats,
    starts: NDArray[np.int64],
    axes: tuple[Floats, ...],
    frame: Floats,
    shape: tuple[int, int],
    charges: Floats,
    first: int,
    last: int,
) -> None:
    w = np.empty((3, len(axes[0])))
    for t in range(first, last):
        for k in range(starts[t], starts[t + 1]):
            position = (packed[0, k], packed[1, k], packed[2, k])
            _box_weights(axes, frame, (t // shape[1], t % shape[1]), position, w)
            node = 0
            for a in range(len(axes[0])):
                for b in range(len(axes[1])):
                    for c in range(len(axes[2])):
                        charges[t, node] += packed[3, k] * w[0, a] * w[1, b] * w[2, c]
                        node += 1


@kernel
def _far_sum(
    points: Floats,
    home: Ints,
    field: Floats,
    axes: tuple[Floats, ...],
    frame: Floats,
    shape: tuple[int, int],
    sums: Floats,
    first: int,
    last: int,
) -> None:
    w = np.empty((3, len(axes[0])))
    for i in range(first, last):
        t = home[i]
        if t < 0:
            continue
        position = (points[0, i], points[1, i], points[2, i])
        _box_weights(axes, frame, (t // shape[1], t % shape[1]), position, w)
        total = 0.0
        node = 0
        for a in range(len(axes[0])):
            for b in range(len(axes[1])):
                part = 0.0
                for c in range(len(axes[2])):
                    part += w[2, c] * field[t, node]
                    node += 1
                total += w[0, a] * w[1, b] * part
        sums[i] += total
