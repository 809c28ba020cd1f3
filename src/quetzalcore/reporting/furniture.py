"""The panel beside a map: colour bar, legend, north arrow, scale bar and notes."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from quetzalcore.reporting.coordinates import round_length
from quetzalcore.reporting.house import INK, MUTED, label
from quetzalcore.reporting.legend import draw_legend, legend_height_in
from quetzalcore.reporting.overlays import MapOverlay
from quetzalcore.reporting.palette import Palette
from quetzalcore.reporting.stretch import Stretch

__all__ = ["Panel", "least_height_in"]

_NOTE_PT = 6.3
_CHARACTERS_PER_INCH = 72 / (_NOTE_PT * 0.56)
_LINE_IN = _NOTE_PT * 1.3 / 72
_BAR_WIDTH_IN = 0.22
_TITLE_LINE_IN = 0.16
_BAR_AT_MOST_IN = 5.0
_BAR_AT_LEAST_IN = 1.5
_NOTE_GAP_IN = 0.18
_SCALE_IN, _SCALE_GAP_IN = 0.34, 0.1
_ARROW_IN, _ARROW_GAP_IN = 0.62, 0.24
_LEGEND_GAP_IN, _LEGENDS_GAP_IN = 0.03, 0.12
_TITLE_CHARACTERS = 27
_KILOMETRE_M = 1000.0


def least_height_in(notes: str, overlays: tuple[MapOverlay, ...], *, width_in: float) -> float:
    """Return the paper that a panel needs when its colour bar is as short as it may be, inches."""
    legends = sum(legend_height_in(overlay) + _LEGEND_GAP_IN for overlay in overlays)
    head = 3 * _TITLE_LINE_IN
    fixed = _SCALE_IN + _SCALE_GAP_IN + _ARROW_IN + _ARROW_GAP_IN + _LEGENDS_GAP_IN + _NOTE_GAP_IN
    return len(_note_lines(notes, width_in)) * _LINE_IN + fixed + legends + head + _BAR_AT_LEAST_IN


@dataclass(slots=True, kw_only=True)
class Panel:
    """A column of paper that is filled from its foot upwards; the colour bar takes what is left.

    Parameters
    ----------
    figure : Figure
    left_in, width_in, bottom_in, top_in : float
        Where the column stands on the page, inches.
    page_in : (float, float)
        Width and height of the page, inches.
    """

    figure: Figure
    left_in: float
    width_in: float
    bottom_in: float
    top_in: float
    page_in: tuple[float, float]
    cursor_in: float = field(init=False)

    def __post_init__(self) -> None:
        """Start at the foot."""
        self.cursor_in = self.bottom_in

    def draw_text_block(self, text: str) -> None:
        """Set notes in small type, wrapped."""
        lines = _note_lines(text, self.width_in)
        height = len(lines) * _LINE_IN
        axes = self._area(height)
        axes.text(
            0,
            height,
            **label("\n".join(lines), fontsize=_NOTE_PT, color=MUTED, va="top", linespacing=1.3),
        )
        self.cursor_in += height + _NOTE_GAP_IN

    def draw_scale_bar(self, *, metres_per_inch: float) -> None:
        """Draw a bar of a round length, in four parts."""
        length = round_length(0.9 * self.width_in * metres_per_inch)
        paper = length / metres_per_inch
        axes = self._area(_SCALE_IN)
        for part in range(4):
            axes.bar(
                part * paper / 4, 0.07, paper / 4, bottom=0.02, align="edge", linewidth=0.7,
                edgecolor=INK, facecolor=INK if part % 2 == 0 else "white",
            )  # fmt: skip
        unit, size = ("km", _KILOMETRE_M) if length >= _KILOMETRE_M else ("m", 1.0)
        for share in (0.0, 0.5, 1.0):
            end = f" {unit}" if share == 1.0 else ""
            text = f"{share * length / size:g}{end}"
            axes.text(share * paper, 0.14, **label(text, ha="center" if share < 1 else "left"))
        self.cursor_in += _SCALE_IN + _SCALE_GAP_IN

    def draw_north_arrow(self, *, convergence_deg: float) -> None:
        """Draw true north; where it leans by more than a tenth of a degree, say by how much."""
        height = _ARROW_IN
        axes = self._area(height)
        turn = np.deg2rad(convergence_deg)
        rotate = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        centre = np.array([0.2, height / 2 - 0.06])
        half = np.array([[0, 0.27], [-0.1, -0.2], [0, -0.12]])
        other = half * [-1, 1]
        for shape, colour in ((half, INK), (other, "white")):
            axes.fill(
                *(shape @ rotate.T + centre).T, facecolor=colour, edgecolor=INK, linewidth=0.8
            )
        tip = rotate @ np.array([0, 0.36]) + centre
        axes.text(*tip, **label("N", fontsize=8.5, fontweight="bold", ha="center", va="center"))
        axes.text(
            0.5,
            height / 2 - 0.08,
            **label(
                _north_text(convergence_deg),
                fontsize=6.3,
                color=MUTED,
                va="center",
                linespacing=1.35,
            ),
        )
        self.cursor_in += height + _ARROW_GAP_IN

    def draw_legends(self, overlays: tuple[MapOverlay, ...]) -> None:
        """Draw the key of every overlay, first at the top."""
        for overlay in reversed(overlays):
            height = legend_height_in(overlay)
            draw_legend(overlay, self._area(height))
            self.cursor_in += height + _LEGEND_GAP_IN
        self.cursor_in += _LEGENDS_GAP_IN

    def draw_colour_bar(self, stretch: Stretch, palette: Palette, *, title: str, unit: str) -> None:
        """Draw the colours evenly with ticks at round true values; fills what is left above."""
        lines = textwrap.wrap(f"{title} ({unit})" if unit else title, _TITLE_CHARACTERS)
        head = _TITLE_LINE_IN * len(lines) + 0.06
        height = min(self.top_in - self.cursor_in - head, _BAR_AT_MOST_IN)
        self.cursor_in = self.top_in - head - height
        axes = self._area(height + head)
        axes.text(
            0, height + head, **label("\n".join(lines), fontsize=8, fontweight="bold", va="top")
        )
        colours = palette.colours()[::-1, None, :]
        axes.imshow(
            colours, extent=(0, _BAR_WIDTH_IN, 0, height), aspect="auto", interpolation="nearest"
        )
        axes.plot(
            [0, _BAR_WIDTH_IN, _BAR_WIDTH_IN, 0, 0], [0, 0, height, height, 0], color=INK, lw=0.7
        )
        for tick in stretch.ticks(max(4, round(height / 0.38))):
            level = tick.position * height
            axes.plot([_BAR_WIDTH_IN, _BAR_WIDTH_IN + 0.05], [level, level], color=INK, lw=0.7)
            axes.text(_BAR_WIDTH_IN + 0.1, level, **label(tick.label, va="center", fontsize=7.5))
        axes.set(xlim=(0, self.width_in), ylim=(0, height + head))

    def _area(self, height_in: float) -> Axes:
        """Give axes whose units are inches of paper, from the cursor upwards."""
        width, height = self.page_in
        axes = self.figure.add_axes(
            (
                self.left_in / width,
                self.cursor_in / height,
                self.width_in / width,
                height_in / height,
            )
        )
        axes.set(xlim=(0, self.width_in), ylim=(0, height_in))
        axes.set_axis_off()
        axes.set_autoscale_on(False)
        return axes


def _note_lines(text: str, width_in: float) -> list[str]:
    width = int(width_in * _CHARACTERS_PER_INCH)
    return [line for part in text.split("\n") for line in textwrap.wrap(part, width)]


def _north_text(convergence_deg: float) -> str:
    if abs(convergence_deg) < 0.05:  # noqa: PLR2004 -- rounds to 0.0
        return "True north\n(grid north agrees)"
    side = "east" if convergence_deg > 0 else "west"
    return f"True north\ngrid north {abs(convergence_deg):.1f}° {side}"
