"""Figures that are not maps: profiles, spectra, histograms, reliability and class bars."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter
from quetzalcore.reporting.contents import ClassProbability
from quetzalcore.reporting.house import (
    ACCENT,
    FAINT,
    FONT,
    INK,
    MUTED,
    SERIES,
    Picture,
    label,
    new_figure,
    picture_of,
    printable,
)

__all__ = [
    "SpectrumSegment",
    "Trace",
    "draw_class_bars",
    "draw_crossovers",
    "draw_profile",
    "draw_reliability",
    "draw_spectrum",
]

_WIDTH_IN = 9.0
_BINS = 61
_CLASS_CHARACTERS = 34


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """One curve of a profile: a name and (n,) values in nT; NaN leaves a gap."""

    name: str
    values_nt: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectrumSegment:
    """A straight piece of ln(power) against wavenumber and the depth that its slope means."""

    low_rad_per_m: float
    high_rad_per_m: float
    intercept: float
    depth_m: float

    def log_power(self, wavenumber_rad_per_m: float) -> float:
        """Return ln(power) on the line: intercept - 2 depth k (Spector & Grant 1970)."""
        return self.intercept - 2.0 * self.depth_m * wavenumber_rad_per_m


def draw_profile(
    distance_m: NDArray[np.float64],
    panels: tuple[tuple[Trace, ...], ...],
    *,
    title: str,
    ylabel: str = "Total field (nT)",
) -> Picture:
    """Draw a line before and after conditioning.

    Parameters
    ----------
    distance_m : (n,) float64
        Along the line, metres.
    panels : tuple of tuples of Trace
        One row of axes each, for example (raw, despiked) above (final,). Every trace is (n,).
    title, ylabel : str
    """
    figure = new_figure(_WIDTH_IN, 0.9 + 2.0 * len(panels))
    rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    figure.subplots_adjust(
        left=0.09, right=0.985, hspace=0.12,
        top=1 - 0.42 / figure.get_figheight(), bottom=0.5 / figure.get_figheight(),
    )  # fmt: skip
    for axes, traces in zip(rows, panels, strict=True):
        _dress(axes, "", ylabel)
        for index, trace in enumerate(traces):
            if len(trace.values_nt) != len(distance_m):
                raise BadParameter(
                    f"trace {trace.name} has {len(trace.values_nt)} values for {len(distance_m)} places",
                    hint="give every trace the length of distance_m",
                )
            axes.plot(
                distance_m / 1000.0,
                trace.values_nt,
                lw=0.9,
                color=SERIES[index % len(SERIES)],
                label=printable(trace.name),
            )
        _key(axes)
    _head(rows[0], title)
    rows[-1].set_xlabel("Distance along the line (km)", fontsize=8, fontfamily=FONT, color=INK)
    return picture_of(figure)


def draw_spectrum(
    wavenumber_rad_per_m: NDArray[np.float64],
    power: NDArray[np.float64],
    segments: tuple[SpectrumSegment, ...] = (),
    *,
    title: str,
) -> Picture:
    """Draw a radially averaged power spectrum with the depth of each straight segment.

    ``power`` is (n,) in any unit; values that are not positive are left out. The axis below is
    cycles per kilometre, the segments are straight in ln(power).
    """
    figure = new_figure(_WIDTH_IN, 4.2)
    axes = figure.add_axes((0.09, 0.13, 0.895, 0.77))
    _dress(axes, "Wavenumber (cycles/km)", "ln(power)")
    known = np.isfinite(power) & (power > 0)
    per_km = 1000.0 / (2 * np.pi)
    axes.plot(
        wavenumber_rad_per_m[known] * per_km, np.log(power[known]), ".-", ms=3.5, lw=0.7, color=MUTED,
        label="Radial average",
    )  # fmt: skip
    for index, piece in enumerate(segments):
        ends = np.array([piece.low_rad_per_m, piece.high_rad_per_m])
        levels = [piece.log_power(float(k)) for k in ends]
        axes.plot(
            ends * per_km,
            levels,
            lw=2.2,
            color=SERIES[index % len(SERIES)],
            label=f"Depth {piece.depth_m:,.0f} m",
        )
    _key(axes)
    _head(axes, title)
    return picture_of(figure)


def draw_crossovers(
    before_nt: NDArray[np.float64], after_nt: NDArray[np.float64], *, title: str
) -> Picture:
    """Draw the histogram of crossover differences before and after levelling, (n,) nT each.

    NaN is left out. Bins reach to the 99.5th percentile of the magnitudes; what lies beyond is
    counted in the outermost bins.

    Raises
    ------
    BadParameter
        If either has no finite value.
    """
    figure = new_figure(_WIDTH_IN, 3.8)
    axes = figure.add_axes((0.09, 0.145, 0.895, 0.74))
    _dress(axes, "Traverse minus tie at the crossover (nT)", "Crossovers")
    finite = [values[np.isfinite(values)] for values in (before_nt, after_nt)]
    if not all(values.size for values in finite):
        raise BadParameter("there are no crossovers to draw", hint="leave the figure out")
    reach = max(float(np.percentile(np.abs(np.concatenate(finite)), 99.5)), 1e-6)
    edges = np.linspace(-reach, reach, _BINS)
    for values, name, colour in zip(
        finite, ("Before", "After"), (SERIES[1], SERIES[0]), strict=True
    ):
        spread = float(np.median(np.abs(values - np.median(values))) * 1.4826)
        text = f"{name}: median {np.median(values):.1f} nT, robust spread {spread:.1f} nT"
        axes.hist(
            np.clip(values, -reach, reach), edges.tolist(), color=colour, alpha=0.55, label=text
        )
    axes.axvline(0, color=INK, lw=0.7)
    _key(axes)
    _head(axes, title)
    return picture_of(figure)


def draw_reliability(
    forecast: NDArray[np.float64],
    observed: NDArray[np.float64],
    count: NDArray[np.float64],
    *,
    title: str,
    brier: float | None = None,
) -> Picture:
    """Draw forecast probability against observed frequency, (n,) each, with the count per bin.

    On the diagonal, "30 %" happens three times in ten. Bins with NaN are left out.
    """
    figure = new_figure(5.2, 5.4)
    axes = figure.add_axes((0.13, 0.1, 0.83, 0.8))
    _dress(axes, "Probability that was given", "Frequency that was observed")
    axes.plot(
        [0, 1], [0, 1], color=MUTED, lw=0.9, linestyle=(0, (4, 3)), label="Perfectly reliable"
    )
    known = np.isfinite(forecast) & np.isfinite(observed)
    total = max(float(count[known].sum()), 1.0)
    name = "This model" if brier is None else f"This model (Brier score {brier:.3f})"
    axes.plot(forecast[known], observed[known], color=ACCENT, lw=1.4, label=name)
    axes.scatter(
        forecast[known], observed[known], s=20 + 500 * count[known] / total, color=ACCENT, alpha=0.75,
        edgecolors="white", linewidths=0.8, zorder=3,
    )  # fmt: skip
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    _key(axes, place="upper left")
    _head(axes, title)
    return picture_of(figure)


def draw_class_bars(
    classes: tuple[ClassProbability, ...], *, title: str, calibrated: bool
) -> Picture:
    """Draw the probabilities of source classes as bars, in the order given."""
    figure = new_figure(_WIDTH_IN, 0.95 + 0.31 * len(classes))
    height = figure.get_figheight()
    axes = figure.add_axes((0.3, 0.48 / height, 0.66, 1 - 0.9 / height))
    _dress(axes, "Probability (%)" if calibrated else "Probability (%), uncalibrated", "")
    places = np.arange(len(classes))[::-1]
    percent = [100 * item.probability for item in classes]
    axes.barh(places, percent, height=0.62, color=ACCENT)
    axes.set_yticks(
        places,
        labels=[fill(printable(item.name), _CLASS_CHARACTERS) for item in classes],
        parse_math=False,
    )
    for place, value in zip(places, percent, strict=True):
        axes.text(value + 0.6, place, **label(f"{value:.0f}", va="center"))
    axes.set_xlim(0, max(10.0, *percent) * 1.08)
    axes.grid(visible=False, axis="y")
    _head(axes, title)
    return picture_of(figure)


def _dress(axes: Axes, xlabel: str, ylabel: str) -> None:
    axes.set_xlabel(xlabel, fontsize=8, fontfamily=FONT, color=INK)
    axes.set_ylabel(ylabel, fontsize=8, fontfamily=FONT, color=INK)
    axes.tick_params(labelsize=7.5, color=MUTED, labelcolor=INK, length=3, width=0.6)
    axes.grid(visible=True, color=FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set(visible=side in {"left", "bottom"}, color=MUTED, linewidth=0.8)


def _key(axes: Axes, place: str = "upper right") -> None:
    legend = axes.legend(loc=place, fontsize=7.5, frameon=True, framealpha=0.85, edgecolor="none")
    for text in legend.get_texts():
        text.set(color=INK, fontfamily=FONT, parse_math=False)


def _head(axes: Axes, text: str) -> None:
    style: dict[str, Any] = {"fontfamily": FONT, "fontsize": 10, "fontweight": "bold", "color": INK}
    axes.set_title(printable(text), loc="left", pad=7, parse_math=False, **style)
