"""Eastings and northings, and longitudes and latitudes, around a map's frame."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from quetzalcore.reporting.house import FONT, INK, MUTED, label

__all__ = ["crs_name", "draw_coordinates", "draw_graticule", "round_length", "round_ticks"]

_KILOMETRES_FROM_M = 8000.0
_HALF_CHARACTER_IN = 0.031  # a northing nearer to the corner would run into the eastings
_CODE = re.compile(r"\w+:\d+")
_MULTIPLES = (1.0, 2.0, 2.5, 5.0, 10.0)

_CORNER = 0.04  # share of a side


def crs_name(crs: str) -> str:
    """Return a coordinate system's own name, with its code where it was given by one.

    What pyproj does not know, or knows no name for, is given back as it is.
    """
    from pyproj import CRS  # noqa: PLC0415 -- only maps with a CRS need it
    from pyproj.exceptions import CRSError  # noqa: PLC0415 -- as above

    try:
        name = CRS.from_user_input(crs).name
    except CRSError:
        return crs
    if name == "unknown":
        return crs
    return f"{name} ({crs})" if _CODE.fullmatch(crs) else name


def round_length(at_most: float) -> float:
    """Return the longest of 1, 2 or 5 times a power of ten that does not exceed ``at_most``."""
    power = 10.0 ** np.floor(np.log10(at_most))
    return float(max(m for m in (1.0, 2.0, 5.0) if m * power <= at_most * (1 + 1e-12)) * power)


def round_ticks(low: float, high: float, *, about: int) -> NDArray[np.float64]:
    """Return multiples of a round step within ``low`` to ``high``, roughly ``about`` of them."""
    raw = (high - low) / about
    power = 10.0 ** np.floor(np.log10(raw))
    step = min((m * power for m in _MULTIPLES), key=lambda s: abs(np.log(s / raw)))
    first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
    return np.asarray(np.arange(first, last + 1) * step)


def draw_coordinates(axes: Axes) -> None:
    """Tick and label the frame in metres or kilometres, with crosses where the lines meet."""
    west, east = axes.get_xlim()
    south, north = axes.get_ylim()
    inches = axes.get_window_extent().transformed(axes.figure.dpi_scale_trans.inverted())
    kilometres = max(east - west, north - south) >= _KILOMETRES_FROM_M
    unit, size = ("km", 1000.0) if kilometres else ("m", 1.0)
    eastings = round_ticks(west, east, about=max(2, round(inches.width / 1.2)))
    northings = round_ticks(south, north, about=max(2, round(inches.height / 1.2)))
    axes.set_xticks(eastings, labels=_labels(eastings / size))
    names = _labels(northings / size)
    half_in = max(len(name) for name in names) * _HALF_CHARACTER_IN if names else 0.0
    clear = south + half_in / inches.height * (north - south)
    names = [name if n >= clear else "" for n, name in zip(northings, names, strict=True)]
    axes.set_yticks(northings, labels=names, rotation=90, va="center")
    axes.tick_params(length=3, width=0.6, color=INK, labelsize=7, labelcolor=INK, pad=2.5)
    axes.set_xlabel(f"Easting ({unit})", fontfamily=FONT, fontsize=7.5, color=INK, labelpad=3)
    axes.set_ylabel(f"Northing ({unit})", fontfamily=FONT, fontsize=7.5, color=INK, labelpad=3)
    crosses = np.array(list(product(eastings, northings))).reshape(-1, 2)
    axes.plot(crosses[:, 0], crosses[:, 1], "+", color="black", alpha=0.55, ms=6, mew=0.5, zorder=2)


def draw_graticule(axes: Axes, crs: str) -> None:
    """Tick longitude along the top and latitude along the right edge of a projected map."""
    from pyproj import Transformer  # noqa: PLC0415 -- only maps with a CRS need it

    to_degrees = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    west, east = axes.get_xlim()
    south, north = axes.get_ylim()
    along = np.linspace(0.0, 1.0, 201)
    eastings, northings = west + along * (east - west), south + along * (north - south)
    longitude, _ = to_degrees.transform(eastings, np.full_like(eastings, north))
    _, latitude = to_degrees.transform(np.full_like(northings, east), northings)
    for degrees, places, horizontal in (
        (longitude, eastings, True),
        (latitude, northings, False),
    ):
        if np.isfinite(degrees).all() and (np.diff(degrees) > 0).all():
            _draw_degrees(axes, degrees, places, horizontal=horizontal)


def _draw_degrees(
    axes: Axes, degrees: NDArray[np.float64], places_m: NDArray[np.float64], *, horizontal: bool
) -> None:
    ticks = _degree_ticks(float(degrees[0]), float(degrees[-1]))
    suffix = ("E", "W") if horizontal else ("N", "S")
    for tick, place in zip(ticks, np.interp(ticks, degrees, places_m), strict=True):
        share = (place - places_m[0]) / (places_m[-1] - places_m[0])
        if not _CORNER < share < 1.0 - _CORNER:
            continue  # the grid's own labels stand there
        at = (share, 1.0) if horizontal else (1.0, share)
        text = f"{abs(tick):.7g}°{suffix[0] if tick >= 0 else suffix[1]}"
        axes.annotate(
            text=label(text)["s"],
            xy=at,
            xytext=(0, 4) if horizontal else (4, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="center" if horizontal else "left",
            va="bottom" if horizontal else "center",
            rotation=0 if horizontal else 90,
            fontsize=6,
            fontfamily=FONT,
            color=MUTED,
            arrowprops={
                "arrowstyle": "-",
                "linewidth": 0.5,
                "color": MUTED,
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )


def _degree_ticks(low: float, high: float) -> NDArray[np.float64]:
    return round_ticks(low, high, about=4)


def _labels(values: NDArray[np.float64]) -> list[str]:
    """Print with the fewest decimals that tell every tick exactly, thousands set apart."""
    decimals = next(
        d for d in range(8) if np.allclose(values, np.round(values, d), rtol=0, atol=1e-9)
    )
    return [f"{value:,.{decimals}f}".replace(",", "\N{NARROW NO-BREAK SPACE}") for value in values]
