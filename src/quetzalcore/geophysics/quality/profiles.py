"""Traverses side by side on one ruler: what each line reads, and where it runs, bin by bin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.quality.geometry import Runs, dominant_axis_deg, rotate, runs_of
from quetzalcore.geophysics.survey import Bools, Floats, Survey

__all__ = ["Profiles", "line_profiles"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profiles:
    """Bin means of k lines on a ruler of m bins along their common axis.

    Parameters
    ----------
    runs : Runs
        The k lines.
    axis_deg : float
        Direction of the ruler, clockwise from grid north.
    origin_m, bin_m : float
        Along-coordinate of the ruler's start, and the length of a bin, metres.
    tmi_nt, across_m : (k, m) float64
        Mean reading and mean across-coordinate in each bin; NaN where the line has no reading.
    forward : (k,) bool
        Whether the line was flown towards increasing along-coordinate.
    """

    runs: Runs
    axis_deg: float
    origin_m: float
    bin_m: float
    tmi_nt: Floats
    across_m: Floats
    forward: Bools

    def __len__(self) -> int:
        """Count the lines."""
        return len(self.forward)

    def only(self, which: NDArray[np.intp]) -> Self:
        """Return the profiles of some lines, (j,) indices, in that order."""
        return replace(
            self,
            runs=_some(self.runs, which),
            tmi_nt=self.tmi_nt[which],
            across_m=self.across_m[which],
            forward=self.forward[which],
        )


def line_profiles(
    survey: Survey, wanted: Bools, *, bins: int | None = None, bin_m: float | None = None
) -> Profiles:
    """Put the runs that ``wanted`` (k,) marks on one ruler along their dominant axis.

    Give the length of a bin, or the number of bins over the longest line's extent.
    """
    runs = runs_of(survey)
    chosen = _some(runs, np.flatnonzero(wanted))
    rows = np.repeat(wanted, runs.stations)
    axis = dominant_axis_deg(chosen.heading_deg, chosen.length_m) if len(chosen) else 0.0
    along, across = rotate(survey.easting_m[rows], survey.northing_m[rows], axis_deg=axis)
    low = float(along.min()) if len(along) else 0.0
    extent = float(along.max()) - low if len(along) else 1.0
    width = bin_m if bin_m is not None else max(extent, 1e-6) / (bins or 1)
    count = int(extent / width) + 1
    number = np.repeat(np.arange(len(chosen)), chosen.stations)
    flat = number * count + ((along - low) / width).astype(np.intp)
    tmi = survey.tmi_nt[rows]
    known = ~np.isnan(tmi)
    means = _bin_means(flat, (tmi, across), known, len(chosen) * count)
    return Profiles(
        runs=chosen,
        axis_deg=axis,
        origin_m=low,
        bin_m=width,
        tmi_nt=means[0].reshape(len(chosen), count),
        across_m=means[1].reshape(len(chosen), count),
        forward=np.cos(np.radians(chosen.heading_deg - axis)) > 0.0,
    )


def _bin_means(
    flat: NDArray[np.intp], values: tuple[Floats, ...], known: Bools, size: int
) -> tuple[Floats, ...]:
    if not known.all():
        flat, values = flat[known], tuple(column[known] for column in values)
    count = np.bincount(flat, minlength=size).astype(np.float64)
    count[count == 0.0] = np.nan
    return tuple(np.bincount(flat, column, size) / count for column in values)


def _some(runs: Runs, which: NDArray[np.intp]) -> Runs:
    return Runs(
        line=runs.line[which],
        start=runs.start[which],
        stop=runs.stop[which],
        heading_deg=runs.heading_deg[which],
        length_m=runs.length_m[which],
        chord_m=runs.chord_m[which],
    )
