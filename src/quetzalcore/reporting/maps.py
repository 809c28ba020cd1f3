"""A map from a grid: page, frame, raster and furniture, drawn without global state."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.grid import spacing_m
from quetzalcore.reporting.coordinates import crs_name, draw_coordinates, draw_graticule
from quetzalcore.reporting.furniture import Panel, least_height_in
from quetzalcore.reporting.house import (
    DPI,
    INK,
    MUTED,
    Picture,
    fitted_pt,
    label,
    new_figure,
    picture_of,
)
from quetzalcore.reporting.overlays import MapOverlay
from quetzalcore.reporting.palette import MapStyle, Scaling, style_for
from quetzalcore.reporting.shading import Sun, raster
from quetzalcore.reporting.stretch import Stretch
from quetzalcore.reporting.symbols import draw_overlay

__all__ = ["MapSpec", "draw_map", "draw_maps", "page_size_px", "render_map"]

_AREA_IN2 = 38.0  # of the frame: as much as an A4 page holds beside the panel
_ASPECT = (0.66, 1.45)
_LEFT, _RIGHT, _TOP, _BOTTOM = 0.62, 0.25, 0.82, 0.72
_GAP, _PANEL = 0.35, 2.05
_SCALING_WORDS = {
    Scaling.EQUALISED: "colours histogram-equalised",
    Scaling.SYMMETRIC: "colours symmetric about zero, half equalised",
    Scaling.FIXED: "colours linear over a fixed range",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapSpec:
    """Everything that one map shows.

    Parameters
    ----------
    name : str
        Stem of the file, such as ``"tmi"``.
    title : str
    grid : xr.DataArray
        Dims (northing, easting), see ``quetzalcore.geophysics.grid``. NaN is left white.
    subtitle : str
        One line below the title, such as the survey's name.
    style : MapStyle, optional
        Colours; by default chosen by ``name``.
    sun : Sun
        Light of the shaded relief.
    caption : str
        How the map was made, in a sentence or two, for the panel, which adds cell size, scaling of
        the colours and sun by itself.
    footer : str
        Version and provenance, one line.
    crs_text : str, optional
        Name of the coordinate system; by default that of ``grid.attrs["crs"]``.
    convergence_deg : float
        Grid north's bearing from true north, clockwise positive (pyproj's meridian convergence):
        the arrow shows true north.
    overlays : tuple of MapOverlay
        Drawn in this order.
    graticule : bool
        Whether longitude and latitude are ticked along the top and right edges; needs a CRS.
    """

    name: str
    title: str
    grid: xr.DataArray
    subtitle: str = ""
    style: MapStyle | None = None
    sun: Sun = field(default_factory=Sun)
    caption: str = ""
    footer: str = ""
    crs_text: str | None = None
    convergence_deg: float = 0.0
    overlays: tuple[MapOverlay, ...] = ()
    graticule: bool = False

    @property
    def unit(self) -> str:
        """The grid's unit, from its CF attributes."""
        return str(self.grid.attrs.get("units", ""))

    @property
    def notes(self) -> str:
        """What the panel says at its foot: coordinate system, caption, and how it was drawn."""
        crs = str(self.grid.attrs.get("crs", ""))
        place = self.crs_text if self.crs_text is not None else crs and crs_name(crs)
        north, east = spacing_m(self.grid)
        cell = f"{east:g}" if np.isclose(north, east, rtol=1e-3) else f"{east:g} x {north:g}"
        drawn = (
            f"Cell {cell} m; {_SCALING_WORDS[self.colours.scaling]}; "
            f"sun from {self.sun.azimuth_deg:g}° at {self.sun.inclination_deg:g}°."
        )
        return "\n".join(part for part in (place, self.caption, drawn) if part)

    @property
    def colour_bar_title(self) -> str:
        """The grid's long name, or the map's title where the grid has only a short one."""
        name = str(self.grid.attrs.get("long_name", ""))
        name = self.title if name in {"", self.grid.name} else name
        return name[:1].upper() + name[1:]

    @property
    def colours(self) -> MapStyle:
        """The style that applies."""
        return self.style if self.style is not None else style_for(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """The map's window: ground in metres, paper in inches."""

    west_m: float
    east_m: float
    south_m: float
    north_m: float
    width_in: float
    height_in: float
    panel_in: float

    @property
    def page_in(self) -> tuple[float, float]:
        width = _LEFT + self.width_in + _GAP + _PANEL + _RIGHT
        return width, _TOP + max(self.height_in, self.panel_in) + _BOTTOM


def page_size_px(spec: MapSpec) -> tuple[int, int]:
    """Return the width and height that the map of ``spec`` will have, in pixels."""
    width, height = _frame(spec).page_in
    return int(width * DPI), int(height * DPI)


def render_map(spec: MapSpec) -> Picture:
    """Draw a map.

    Raises
    ------
    BadParameter
        If the grid has no finite value, or its axes are not an even grid.
    """
    try:
        stretch = spec.colours.stretch(spec.grid.to_numpy())
    except BadParameter as cause:
        raise BadParameter(f"map {spec.name}: {cause.detail}", hint=cause.hint) from cause
    frame = _frame(spec)
    width, height = frame.page_in
    figure = new_figure(width, height)
    _draw_headings(figure, spec, width, height)
    axes = figure.add_axes(
        (
            _LEFT / width,
            1 - (_TOP + frame.height_in) / height,
            frame.width_in / width,
            frame.height_in / height,
        )
    )
    _draw_raster(axes, spec, frame, stretch)
    for overlay in spec.overlays:
        draw_overlay(overlay, axes)
    _draw_panel(figure, spec, frame, stretch)
    return picture_of(figure, continuous=True)


def draw_map(spec: MapSpec, path: Path) -> Path:
    """Draw a map into a PNG file at ``path`` and return the path; see :func:`render_map`."""
    return render_map(spec).write_png(path)


def draw_maps(specs: Iterable[MapSpec], folder: Path) -> dict[str, Picture]:
    """Draw maps into ``folder``/``name``.png and return the pictures by name.

    One after the other, since drawing holds the interpreter's lock; compressing does not, so a
    second thread writes one map's file while the next is drawn.
    """
    pictures = {}
    with ThreadPoolExecutor(max_workers=1) as writer:
        writing: list[Future[Path]] = []
        for spec in specs:
            picture = pictures[spec.name] = render_map(spec)
            writing.append(writer.submit(picture.write_png, folder / f"{spec.name}.png"))
        for each in writing:
            each.result()
    return pictures


def _frame(spec: MapSpec) -> _Frame:
    """Fit the window to the grid; very long or wide grids get white ground beside them."""
    grid = spec.grid
    north_cell, east_cell = spacing_m(grid)
    easting, northing = grid["easting"].to_numpy(), grid["northing"].to_numpy()
    west, east = easting[0] - east_cell / 2, easting[-1] + east_cell / 2
    south, north = northing[0] - north_cell / 2, northing[-1] + north_cell / 2
    aspect = float(np.clip((north - south) / (east - west), *_ASPECT))
    pad_east = max(0.0, ((north - south) / aspect - (east - west)) / 2)
    pad_north = max(0.0, ((east - west) * aspect - (north - south)) / 2)
    width_in = float(np.sqrt(_AREA_IN2 / aspect))
    return _Frame(
        west_m=float(west - pad_east),
        east_m=float(east + pad_east),
        south_m=float(south - pad_north),
        north_m=float(north + pad_north),
        width_in=width_in,
        height_in=width_in * aspect,
        panel_in=least_height_in(spec.notes, spec.overlays, width_in=_PANEL),
    )


def _draw_headings(figure: Figure, spec: MapSpec, width: float, height: float) -> None:
    left, room = _LEFT / width, width - _LEFT - _RIGHT
    for text, up_in, size_pt, colour, bold in (
        (spec.title, height - 0.36, 14.0, INK, True),
        (spec.subtitle, height - 0.57, 8.5, MUTED, False),
        (spec.footer, 0.16, 6.0, MUTED, False),
    ):
        size = fitted_pt(text, size_pt, room_in=room, bold=bold)
        weight = "bold" if bold else "normal"
        style = label(text, fontsize=size, color=colour, fontweight=weight)
        figure.text(left, up_in / height, **style)


def _draw_raster(axes: Axes, spec: MapSpec, frame: _Frame, stretch: Stretch) -> None:
    grid = spec.grid
    north_cell, east_cell = spacing_m(grid)
    extent = (
        float(grid["easting"][0]) - east_cell / 2,
        float(grid["easting"][-1]) + east_cell / 2,
        float(grid["northing"][0]) - north_cell / 2,
        float(grid["northing"][-1]) + north_cell / 2,
    )
    per_metre = frame.width_in * DPI / (frame.east_m - frame.west_m)
    size = (
        max(2, round((extent[1] - extent[0]) * per_metre)),
        max(2, round((extent[3] - extent[2]) * per_metre)),
    )
    pixels = raster(grid, stretch, spec.colours.palette, sun=spec.sun, size_px=size)
    axes.imshow(pixels, extent=extent, interpolation="nearest", aspect="auto", zorder=0)
    axes.set_xlim(frame.west_m, frame.east_m)
    axes.set_ylim(frame.south_m, frame.north_m)
    for spine in axes.spines.values():
        spine.set(color=INK, linewidth=0.8)
    draw_coordinates(axes)
    if spec.graticule and grid.attrs.get("crs"):
        draw_graticule(axes, str(grid.attrs["crs"]))


def _draw_panel(figure: Figure, spec: MapSpec, frame: _Frame, stretch: Stretch) -> None:
    width, height = frame.page_in
    panel = Panel(
        figure=figure,
        left_in=_LEFT + frame.width_in + _GAP,
        width_in=_PANEL,
        bottom_in=_BOTTOM,
        top_in=height - _TOP,
        page_in=(width, height),
    )
    panel.draw_text_block(spec.notes)
    panel.draw_scale_bar(metres_per_inch=(frame.east_m - frame.west_m) / frame.width_in)
    panel.draw_north_arrow(convergence_deg=spec.convergence_deg)
    panel.draw_legends(spec.overlays)
    panel.draw_colour_bar(
        stretch, spec.colours.palette, title=spec.colour_bar_title, unit=spec.unit
    )
