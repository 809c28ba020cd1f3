"""Slow corrections along lines: a constant and a uniform cubic B-spline for each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.survey import Floats

__all__ = ["DriftBasis", "drift_basis"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DriftBasis:
    """Which unknowns belong to which run.

    Parameters
    ----------
    pieces : (k,) intp
        Spline pieces of each run, at least one.
    piece_m : (k,) float64
        Length of one piece, metres.
    first : (k + 1,) intp
        First unknown of each run (its constant; the splines follow), and the number of unknowns.
    """

    pieces: NDArray[np.intp]
    piece_m: Floats
    first: NDArray[np.intp]

    @property
    def unknowns(self) -> int:
        """Count the unknowns of all runs together."""
        return int(self.first[-1])

    def weights(self, run: NDArray[np.intp], along_m: Floats) -> tuple[NDArray[np.intp], Floats]:
        """Return the five unknowns that count at each place and their weights, (c, 5) each."""
        place = np.clip(along_m / self.piece_m[run], 0.0, self.pieces[run])
        piece = np.minimum(place.astype(np.intp), self.pieces[run] - 1)
        f = place - piece
        g = 1.0 - f
        spline = [
            g**3 / 6.0,
            (3.0 * f**3 - 6.0 * f**2 + 4.0) / 6.0,
            (3.0 * g**3 - 6.0 * g**2 + 4.0) / 6.0,
            f**3 / 6.0,
        ]
        constant = self.first[run]
        columns = np.column_stack([constant, *(constant + 1 + piece + k for k in range(4))])
        return columns, np.column_stack([np.ones_like(f), *spline])

    def evaluate(self, unknowns: Floats, run: int, along_m: Floats) -> Floats:
        """Return one run's correction at places along it, nT."""
        first = int(self.first[run])
        coefficients = unknowns[first + 1 : int(self.first[run + 1])]
        place = np.clip(along_m / self.piece_m[run], 0.0, self.pieces[run])
        piece = np.minimum(place.astype(np.intp), self.pieces[run] - 1)
        f = place - piece
        a, b, c, d = (coefficients[k : k + self.pieces[run]] for k in range(4))
        # the four splines on one piece, as one cubic in f (Horner)
        cubic = ((d - a) / 6.0 + (b - c) / 2.0, (a + c) / 2.0 - b, (c - a) / 2.0)
        level = (a + 4.0 * b + c) / 6.0 + unknowns[first]
        value = ((cubic[0][piece] * f + cubic[1][piece]) * f + cubic[2][piece]) * f
        corrected: Floats = value + level[piece]
        return corrected


def drift_basis(length_m: Floats, *, knot_m: float) -> DriftBasis:
    """Give every run, (k,) lengths in metres, a constant and splines with knots about ``knot_m`` apart."""
    pieces = np.maximum(np.rint(length_m / knot_m), 1.0).astype(np.intp)
    return DriftBasis(
        pieces=pieces,
        piece_m=np.maximum(length_m, 1e-6) / pieces,
        first=np.append(0, np.cumsum(pieces + 4)).astype(np.intp),
    )
