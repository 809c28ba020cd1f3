"""The coupling of far tiles as a convolution: one product per wavenumber instead of one per pair of tiles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from quetzalcore.geophysics.survey import Floats
from quetzalcore.vgpu import map_threads, worker_count

__all__ = ["FarSpectrum"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FarSpectrum:
    """The transform of 1/distance between the nodes of tiles that do not touch.

    Parameters
    ----------
    shape : (rows, columns)
        Of the tiles.
    padded : (rows, columns)
        At least twice as many, so that nothing wraps around.
    values : (padded rows, half of padded columns, emitting nodes, seeing nodes) complex64
        Single precision: the nodes themselves are good to 1e-4 of the far field.
    turned : bool
        Whether the nodes that see and those that emit have changed places: the transpose.
    """

    shape: tuple[int, int]
    padded: tuple[int, int]
    values: NDArray[np.complex64]
    turned: bool = False

    @classmethod
    def between(
        cls, shape: tuple[int, int], size_m: float, emitting_m: Floats, seeing_m: Floats
    ) -> FarSpectrum:
        """Transform the coupling of tiles of ``size_m`` whose nodes (k, 3) lie around their centres."""
        rows, columns = (scipy.fft.next_fast_len(2 * n - 1, real=True) for n in shape)
        dy, dx = (scipy.fft.fftfreq(n, 1.0 / n) for n in (rows, columns))
        apart = np.maximum(np.abs(dy)[:, None], np.abs(dx)) > 1.0
        half = columns // 2 + 1
        values = np.empty((rows, half, len(emitting_m), len(seeing_m)), dtype=np.complex64)
        east = dx[:, None] * size_m + seeing_m[:, 0]
        north = dy[:, None] * size_m + seeing_m[:, 1]

        def transform(node: int) -> None:
            x, y, z = emitting_m[node]
            level = (east - x) ** 2 + (seeing_m[:, 2] - z) ** 2
            square = np.where(apart[:, :, None], (north - y)[:, None] ** 2 + level, np.inf)
            inverse = (1.0 / np.sqrt(square)).astype(np.float32)
            values[:, :, node] = scipy.fft.rfft2(inverse, axes=(0, 1))

        map_threads(transform, range(len(emitting_m)))
        return cls(shape=shape, padded=(rows, columns), values=values)

    def transposed(self) -> FarSpectrum:
        """Exchange the nodes that emit and those that see."""
        return replace(self, turned=not self.turned)

    def field(self, charges: NDArray[Any]) -> Floats:
        """Return the potential (rows, columns, nodes) of charges (rows, columns, nodes) in far tiles."""
        workers = worker_count()
        sent = scipy.fft.rfft2(
            charges.astype(np.float32), s=self.padded, axes=(0, 1), workers=workers
        )
        if self.turned:
            seen = np.matmul(self.values, sent.conj()[..., None])[..., 0].conj()
        else:
            seen = np.matmul(sent[..., None, :], self.values)[..., 0, :]
        field = scipy.fft.irfft2(seen, s=self.padded, axes=(0, 1), workers=workers)
        return np.asarray(field[: self.shape[0], : self.shape[1]], dtype=np.float64)
