"""The house style of every figure: type, colours, page, and how a figure becomes a picture."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import get_data_path
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from numpy.typing import NDArray
from PIL import Image

__all__ = [
    "ACCENT",
    "DPI",
    "FAINT",
    "FONT",
    "INK",
    "MUTED",
    "SERIES",
    "Picture",
    "fitted_pt",
    "label",
    "new_figure",
    "picture_of",
    "printable",
]

DPI = 190
FONT = "DejaVu Sans"
INK = "#1c2526"
MUTED = "#5a6668"
FAINT = "#d5dadb"
ACCENT = "#0b6e6e"
SERIES = ("#0b6e6e", "#c4572f", "#3b4b9b", "#b8860b", "#7b3f76")
_JPEG_QUALITY = 88
_POINTS_PER_INCH = 72
_FIXED_POINT = 64.0  # FreeType gives 26.6 fixed-point pixels


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """A finished figure.

    Parameters
    ----------
    pixels : (height, width, 3) uint8
        sRGB.
    continuous : bool
        True for a map's many colours (the report takes JPEG), False for line art (PNG).
    """

    pixels: NDArray[np.uint8]
    continuous: bool = False

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def write_png(self, path: Path) -> Path:
        """Write a PNG with its resolution and nothing that varies between runs."""
        Image.fromarray(self.pixels).save(path, format="PNG", dpi=(DPI, DPI), compress_level=3)
        return path

    def encode(self) -> tuple[str, bytes]:
        """Return the media type and bytes for a web page: small, and kept as they are in a PDF."""
        buffer = io.BytesIO()
        image = Image.fromarray(self.pixels)
        if self.continuous:
            image.save(buffer, format="JPEG", quality=_JPEG_QUALITY)
            return "image/jpeg", buffer.getvalue()
        image.save(buffer, format="PNG", compress_level=6)
        return "image/png", buffer.getvalue()


def new_figure(width_in: float, height_in: float) -> Figure:
    """Make a white figure: no pyplot, no global state."""
    return Figure(figsize=(width_in, height_in), dpi=DPI, facecolor="white")


def picture_of(figure: Figure, *, continuous: bool = False) -> Picture:
    """Draw a figure into pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Picture(pixels=np.array(canvas.buffer_rgba())[..., :3].copy(), continuous=continuous)


def label(text: str, **style: Any) -> dict[str, Any]:  # noqa: ANN401 -- matplotlib's own properties
    """Give the arguments of a text in house style; ``$`` is a dollar, not mathematics."""
    return {
        "s": printable(text),
        "fontfamily": FONT,
        "fontsize": 7.0,
        "color": INK,
        "parse_math": False,
        **style,
    }


def fitted_pt(text: str, size_pt: float, *, room_in: float, bold: bool = False) -> float:
    """Return ``size_pt``, or the smaller size at which one line of text fits into the room."""
    font = _font("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")
    font.set_size(size_pt, _POINTS_PER_INCH)
    font.set_text(printable(text), 0.0)
    width_in = font.get_width_height()[0] / _FIXED_POINT / _POINTS_PER_INCH
    return size_pt * min(1.0, room_in / width_in) if width_in else size_pt


def printable(text: str) -> str:
    """Replace what the font lacks by a white square, so that no name can break a figure."""
    known = _glyphs()
    return "".join(c if c == "\n" or ord(c) in known else "\N{WHITE SQUARE}" for c in text)


@lru_cache(maxsize=1)
def _glyphs() -> frozenset[int]:
    return frozenset(_font("DejaVuSans.ttf").get_charmap())


def _font(file: str) -> FT2Font:
    """Open one of the fonts that Matplotlib brings; each use has its own, since threads may draw."""
    return FT2Font(str(Path(get_data_path()) / "fonts" / "ttf" / file))
