"""Find blobs of every size in a grid: extrema over position and scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Blob", "find_blobs"]

Floats = NDArray[np.float64]
Grid = NDArray[np.float32]
_STEPS = 3  # scales an octave
_FIRST_SIGMA = 0.8  # cells: below the smallest blob that a grid can hold
_NOISE_FACTOR = 4.0  # robust standard deviations that a blob must stand above its scale's response
_MAD_TO_SIGMA = 1.4826
_SMALLEST = 12  # cells along the shorter side below which an octave says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A maximum of the scale-normalised response: place in cells, size, and how it stands out.

    ``response`` is in the grid's unit; ``significance`` is in robust standard deviations of the
    response at that scale.
    """

    row: float
    column: float
    sigma_cells: float
    response: float
    significance: float


def find_blobs(values: NDArray[np.floating], *, largest_sigma_cells: float) -> tuple[Blob, ...]:
    """Find bright blobs, strongest first.

    The grid is smoothed by Gaussians whose widths grow by a third of an octave; differences of
    neighbours approximate the scale-normalised Laplacian (Lindeberg 1998; Lowe 2004), whose maxima
    over (row, column, scale) are the blobs. Every octave works on a grid of half the size.

    Parameters
    ----------
    values : (n, m) array
        For example the analytic signal. NaN (no data) takes part with weight zero; no blob is
        found on it.
    largest_sigma_cells : float
        Scales end here, or where the octave's grid gets too small.

    References
    ----------
    Lindeberg, T. (1998). Feature detection with automatic scale selection. International Journal
    of Computer Vision, 30(2), 79-116.
    Lowe, D. G. (2004). Distinctive image features from scale-invariant keypoints. International
    Journal of Computer Vision, 60(2), 91-110.
    """
    valid = np.isfinite(values)
    weight = None if valid.all() else valid.astype(np.float32)
    level: Grid = np.where(valid, values, 0.0).astype(np.float32)
    blobs: list[Blob] = []
    cell = 1
    while min(level.shape) >= _SMALLEST and _FIRST_SIGMA * cell <= largest_sigma_cells:
        stack = _smooth_stack(level, weight, 0.5 if cell == 1 else _FIRST_SIGMA)
        found = _octave_maxima(stack, None if weight is None else weight > 0.5)  # noqa: PLR2004 -- more than half is data
        blobs += [
            Blob(
                row=row * cell,
                column=column * cell,
                sigma_cells=sigma * cell,
                response=response,
                significance=significance,
            )
            for row, column, sigma, response, significance in found
        ]
        level = np.ascontiguousarray(stack[_STEPS][::2, ::2])
        weight = None if weight is None else np.ascontiguousarray(weight[::2, ::2])
        cell *= 2
    kept = [blob for blob in blobs if blob.sigma_cells <= largest_sigma_cells]
    return tuple(sorted(kept, key=lambda blob: -blob.response * blob.sigma_cells**0.5))


def _sigmas() -> Floats:
    sigmas: Floats = _FIRST_SIGMA * 2.0 ** (np.arange(_STEPS + 3) / _STEPS)
    return sigmas


def _smooth_stack(level: Grid, weight: Grid | None, blurred: float) -> Grid:
    """Smooth to each scale in turn; every step adds what ``level``'s blur lacks in variance."""
    sigmas = _sigmas()
    steps = np.sqrt(np.diff(sigmas**2, prepend=blurred**2))
    stack = np.empty((len(sigmas), *level.shape), dtype=np.float32)
    current = level
    for k, step in enumerate(steps):
        current = _smooth(current, weight, float(step))
        stack[k] = current
    return stack


def _smooth(values: Grid, weight: Grid | None, sigma: float) -> Grid:
    def blur(array: Grid) -> Grid:
        blurred: Grid = ndimage.gaussian_filter(array, sigma, mode="nearest", truncate=3.0)
        return blurred

    if sigma == 0.0:
        return values
    if weight is None:
        return blur(values)
    mass = blur(weight)
    np.maximum(mass, np.float32(1e-6), out=mass)
    return np.asarray(blur(values * weight) / mass, dtype=np.float32)


def _octave_maxima(
    stack: Grid, valid: NDArray[np.bool_] | None
) -> list[tuple[float, float, float, float, float]]:
    response = stack[:-1] - stack[1:]
    sigmas = _sigmas()
    found: list[tuple[float, float, float, float, float]] = []
    for k in range(1, len(response) - 1):
        middle = response[k]
        scatter = _robust_sigma(middle if valid is None else middle[valid])
        bright = middle > _NOISE_FACTOR * scatter
        if valid is not None:
            bright &= valid
        bright[[0, -1], :] = False
        bright[:, [0, -1]] = False
        rows, columns = np.nonzero(bright)
        peak = _is_maximum(response[k - 1 : k + 2], rows, columns)
        for row, column in zip(rows[peak].tolist(), columns[peak].tolist(), strict=True):
            strength = float(middle[row, column])
            found.append(
                (
                    row + _offset(middle[row - 1 : row + 2, column]),
                    column + _offset(middle[row, column - 1 : column + 2]),
                    float(sigmas[k]),
                    strength,
                    strength / scatter if scatter > 0 else float("inf"),
                )
            )
    return found


def _robust_sigma(values: Grid) -> float:
    sample = values.ravel()[:: max(1, values.size // 200_000)]
    middle = np.median(sample)
    return float(_MAD_TO_SIGMA * np.median(np.abs(sample - middle)))


def _is_maximum(
    three: Grid, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> NDArray[np.bool_]:
    centre = three[1, rows, columns]
    keep = np.ones(len(rows), dtype=np.bool_)
    for scale in range(3):
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                if (scale, down, right) != (1, 0, 0):
                    keep &= centre >= three[scale, rows + down, columns + right]
    return keep


def _offset(three: Grid) -> float:
    """Place of a parabola's top through three neighbours, in cells, within half a cell."""
    left, middle, right = (float(v) for v in three)
    curvature = left - 2.0 * middle + right
    if curvature >= 0.0:
        return 0.0
    return float(np.clip(0.5 * (left - right) / curvature, -0.5, 0.5))
