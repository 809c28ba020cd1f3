"""The Gauss coefficients of IGRF-14: read from the package on first use, interpolated in time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter

__all__ = ["DEGREE", "FIRST_YEAR", "LAST_YEAR", "Model", "check_years", "model"]

Floats = NDArray[np.float64]

DEGREE = 13
FIRST_YEAR = 1900.0
LAST_YEAR = 2030.0
_FILE = "data/IGRF14.shc"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """The main-field model: between two epochs every coefficient is linear in the decimal year.

    Parameters
    ----------
    epochs : (k,) float64
        Decimal years, increasing; the last one carries the secular-variation forecast.
    g_nt, h_nt : (k, 14, 14) float64
        Schmidt semi-normalised coefficients by epoch, **order** and degree, nT; zero where undefined.
    """

    epochs: Floats
    g_nt: Floats
    h_nt: Floats

    def at(self, year: float) -> tuple[Floats, Floats]:
        """Return ``g_nt, h_nt``, each (14, 14) by order and degree, at a decimal year."""
        lower = self.interval(np.asarray(year))
        begin, end = self.epochs[lower], self.epochs[lower + 1]
        share = (year - begin) / (end - begin)
        g = self.g_nt[lower] + share * (self.g_nt[lower + 1] - self.g_nt[lower])
        h = self.h_nt[lower] + share * (self.h_nt[lower + 1] - self.h_nt[lower])
        return g, h

    def interval(self, years: Floats) -> NDArray[np.intp]:
        """Return the index of the epoch that each year follows (the last year belongs to the last but one)."""
        index = np.searchsorted(self.epochs, years, side="right") - 1
        return np.clip(index, 0, len(self.epochs) - 2)


@cache
def model() -> Model:
    """Read IGRF-14 once.

    References
    ----------
    IAGA Working Group V-MOD, International Geomagnetic Reference Field, 14th generation,
    doi:10.5281/zenodo.14012302 (CC BY 4.0).
    """
    text = files("quetzalcore.geophysics.igrf").joinpath(_FILE).read_text(encoding="ascii")
    rows = [line for line in text.splitlines() if not line.startswith("#")]
    epochs = np.array(rows[1].split(), dtype=np.float64)
    g = np.zeros((len(epochs), DEGREE + 1, DEGREE + 1))
    h = np.zeros_like(g)
    for row in rows[2:]:
        degree, order, *values = row.split()
        table = h if int(order) < 0 else g
        table[:, abs(int(order)), int(degree)] = np.array(values, dtype=np.float64)
    for array in (epochs, g, h):
        array.setflags(write=False)
    return Model(epochs=epochs, g_nt=g, h_nt=h)


def check_years(years: Floats) -> None:
    """Refuse years outside the model; NaN passes.

    Raises
    ------
    BadParameter
        If any year is before 1900 or after 2030.
    """
    known = years[np.isfinite(years)]
    if known.size and (known.min() < FIRST_YEAR or known.max() > LAST_YEAR):
        raise BadParameter(
            f"the date {_worst(known):.3f} (decimal year) is outside IGRF-14",
            hint=f"give a date from {FIRST_YEAR:.0f} to {LAST_YEAR:.0f}",
        )
    if np.isinf(years).any():
        raise BadParameter("a date is infinite", hint="give decimal years such as 2024.5")


def _worst(known: Floats) -> float:
    early, late = float(known.min()), float(known.max())
    return early if early < FIRST_YEAR else late
