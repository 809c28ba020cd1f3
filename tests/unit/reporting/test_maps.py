from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from matplotlib import rcParams
from PIL import Image

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.grid import like, make_grid
from quetzalcore.geophysics.survey import Survey
from quetzalcore.reporting import (
    DepthSolutions,
    FlightLines,
    MapOverlay,
    MapSpec,
    Outlines,
    Targets,
    TargetSymbol,
    TrueBodies,
    draw_map,
    draw_maps,
    page_size_px,
    render_map,
)
from quetzalcore.reporting.furniture import Panel
from quetzalcore.reporting.house import DPI, new_figure
from quetzalcore.reporting.legend import draw_legend, legend_height_in
from quetzalcore.reporting.maps import _BOTTOM, _GAP, _LEFT, _PANEL, _RIGHT, _TOP
from quetzalcore.reporting.symbols import depth_classes, draw_overlay

SQUARE = np.array([[500_400.0, 7_500_400], [500_900, 7_500_400], [500_900, 7_500_900]])


def spec(grid: xr.DataArray, **changes: Any) -> MapSpec:  # noqa: ANN401 -- any field
    return replace(MapSpec(name="tmi", title="Total field", grid=grid), **changes)


def frame_of(pixels: np.ndarray) -> np.ndarray:
    """Cut the map's window out of the page."""
    height, width = pixels.shape[:2]
    left, right = _LEFT * DPI, width - (_GAP + _PANEL + _RIGHT) * DPI
    return pixels[
        int(_TOP * DPI) + 3 : int(height - _BOTTOM * DPI) - 3, int(left) + 3 : int(right) - 3
    ]


def overlays() -> tuple[MapOverlay, ...]:
    rng = np.random.default_rng(1)
    depth = np.append(rng.gamma(4, 40, 30), np.nan)
    return (
        FlightLines(paths=(SQUARE, SQUARE + 100)),
        Outlines(rings=(SQUARE,)),
        TrueBodies(rings=(SQUARE,), names=("Prism $A$ \u6f22",)),
        DepthSolutions(
            easting_m=500_000 + rng.random(31) * 1900,
            northing_m=7_500_000 + rng.random(31) * 1400,
            depth_m=depth,
        ),
        Targets(symbols=(TargetSymbol(easting_m=500_500.0, northing_m=7_500_500.0, label="1"),)),
    )


def test_a_map_has_the_promised_size_and_is_not_blank(grid: xr.DataArray, tmp_path: Path) -> None:
    path = draw_map(spec(grid), tmp_path / "tmi.png")
    with Image.open(path) as image:
        pixels = np.asarray(image)
        assert image.size == page_size_px(spec(grid))
        assert image.info["dpi"][0] == pytest.approx(DPI, abs=0.1)
    window = frame_of(pixels)
    assert (window < 250).any(axis=2).mean() > 0.99
    assert len(np.unique(window.reshape(-1, 3), axis=0)) > 1000


def test_the_panel_says_how_the_map_was_drawn(grid: xr.DataArray) -> None:
    notes = spec(grid, caption="By hand.").notes
    assert notes.splitlines() == [
        "WGS 84 / UTM zone 23S (EPSG:32723)",
        "By hand.",
        "Cell 25 m; colours histogram-equalised; sun from 315° at 45°.",
    ]
    long = spec(grid.isel(easting=slice(None, None, 2)), crs_text="", name="tilt").notes
    assert long.startswith("Cell 50 x 25 m; colours linear over a fixed range")


@pytest.mark.parametrize(
    ("long_name", "title"),
    [("reduced to the pole", "Reduced to the pole"), ("tmi", "Total field"), ("", "Total field")],
)
def test_the_colour_bar_is_named_in_words(grid: xr.DataArray, long_name: str, title: str) -> None:
    grid.attrs["long_name"] = long_name
    assert spec(grid).colour_bar_title == title


def test_the_same_map_twice_is_the_same_file(grid: xr.DataArray, tmp_path: Path) -> None:
    one, two = (draw_map(spec(grid), tmp_path / name) for name in ("a.png", "b.png"))
    assert one.read_bytes() == two.read_bytes()


def test_no_data_is_white(grid: xr.DataArray) -> None:
    values = grid.to_numpy().copy()
    values[:, :40] = np.nan
    window = frame_of(render_map(spec(like(grid, values, name="tmi", unit="nT"))).pixels)
    half = window.shape[1] // 2
    assert (window[:, : half - 20] == 255).all(axis=2).mean() > 0.98
    assert (window[:, half + 20 :] == 255).all(axis=2).mean() < 0.02


def test_a_grid_without_values_is_refused_by_name(grid: xr.DataArray) -> None:
    empty = like(grid, np.full(grid.shape, np.nan), name="tmi", unit="nT")
    with pytest.raises(BadParameter, match="map tmi: the grid has no finite value"):
        render_map(spec(empty))


def test_a_constant_grid_still_draws(grid: xr.DataArray) -> None:
    flat = like(grid, np.full(grid.shape, 48_000.0), name="tmi", unit="nT")
    window = frame_of(render_map(spec(flat)).pixels).reshape(-1, 3)
    _, counts = np.unique(window, axis=0, return_counts=True)
    assert counts.max() / len(window) > 0.97


def test_a_map_with_everything_on_it_draws_under_errors_for_warnings(grid: xr.DataArray) -> None:
    full = spec(
        grid,
        subtitle="Hostile $x_$ \u6f22",
        caption="long words " * 30,
        footer="<script>",
        crs_text="WGS 84 / UTM zone 23S",
        convergence_deg=-1.3,
        overlays=overlays(),
        graticule=True,
    )
    picture = render_map(full)
    assert picture.size_px == page_size_px(full)
    assert picture.continuous


def test_a_panel_that_needs_more_paper_lengthens_the_page(grid: xr.DataArray) -> None:
    plain, full = page_size_px(spec(grid)), page_size_px(spec(grid, overlays=overlays() * 3))
    assert full[0] == plain[0]
    assert full[1] > plain[1]


@pytest.mark.parametrize("shape", [(400, 4), (4, 400), (2, 2)])
def test_any_shape_of_grid_gets_a_page_of_sane_proportion(shape: tuple[int, int]) -> None:
    values = np.arange(shape[0] * shape[1], dtype=float).reshape(shape)
    long = make_grid(
        values,
        10.0 * np.arange(float(shape[1])),
        10.0 * np.arange(float(shape[0])),
        name="a",
        unit="",
    )
    width, height = page_size_px(spec(long))
    assert render_map(spec(long)).size_px == (width, height)
    assert 0.6 < height / width < 1.5


def test_drawing_leaves_matplotlib_as_it_was(grid: xr.DataArray) -> None:
    before = dict(rcParams)
    render_map(spec(grid))
    assert dict(rcParams) == before


def test_maps_are_drawn_into_a_folder_by_name(grid: xr.DataArray, tmp_path: Path) -> None:
    pictures = draw_maps([spec(grid), spec(grid, name="residual")], tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["residual.png", "tmi.png"]
    assert list(pictures) == ["tmi", "residual"]
    assert not np.array_equal(pictures["tmi"].pixels, pictures["residual"].pixels)


def test_a_folder_that_is_not_there_is_an_error_not_silence(
    grid: xr.DataArray, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        draw_maps([spec(grid)], tmp_path / "missing")


def test_threads_draw_the_same_maps(grid: xr.DataArray) -> None:
    specs = [spec(grid, overlays=overlays(), graticule=True, title=f"T{i}") for i in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(render_map, specs))
    for picture, each in zip(together, specs, strict=True):
        assert np.array_equal(picture.pixels, render_map(each).pixels)


def test_targets_stand_out_in_white_where_they_are(grid: xr.DataArray) -> None:
    target = Targets(
        symbols=(TargetSymbol(easting_m=500_987.5, northing_m=7_500_737.5, label="1"),)
    )
    plain, marked = (
        frame_of(render_map(spec(grid, overlays=found)).pixels) for found in ((), (target,))
    )
    rows, columns = np.nonzero((plain != marked).any(axis=2))
    assert rows.mean() / marked.shape[0] == pytest.approx(0.5, abs=0.01)
    assert columns.mean() / marked.shape[1] == pytest.approx(0.5, abs=0.01)
    assert (marked[rows, columns] > 250).all(axis=1).mean() > 0.3


def test_a_target_outside_the_frame_is_not_drawn(grid: xr.DataArray) -> None:
    away = Targets(symbols=(TargetSymbol(easting_m=0.0, northing_m=0.0, label="1"),))
    plain, marked = (frame_of(render_map(spec(grid, overlays=o)).pixels) for o in ((), (away,)))
    assert np.array_equal(plain, marked)


def test_depth_classes_are_round_and_increase() -> None:
    solutions = next(o for o in overlays() if isinstance(o, DepthSolutions))
    bounds = depth_classes(solutions)
    assert 2 <= len(bounds) <= 5
    assert (np.diff(bounds) > 0).all()


@pytest.mark.parametrize("depth", [[], [np.nan], [50.0]])
def test_few_depths_still_have_a_key(depth: list[float]) -> None:
    values = np.array(depth)
    found = DepthSolutions(easting_m=values * 0, northing_m=values * 0, depth_m=values)
    axes = new_figure(2.0, 2.0).add_axes((0, 0, 1, 1))
    draw_legend(found, axes)
    draw_overlay(found, axes)
    assert axes.texts


def test_a_long_heading_of_depths_is_wrapped_not_shrunk_away() -> None:
    one = np.array([50.0])
    short, long = (
        DepthSolutions(easting_m=one, northing_m=one, depth_m=one, legend=text)
        for text in ("Depth (m)", "Depth below ground (clearance from the radar altimeter) (m)")
    )
    assert legend_height_in(long) > legend_height_in(short)
    axes = new_figure(2.05, 1.0).add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 2.05), ylim=(0, 1))
    draw_legend(long, axes)
    assert min(float(text.get_fontsize()) for text in axes.texts) > 6.0


def test_what_is_no_overlay_has_no_symbol_and_no_key() -> None:
    axes = new_figure(1.0, 1.0).add_axes((0, 0, 1, 1))
    for draw in (draw_overlay, draw_legend):
        with pytest.raises(TypeError, match="for str"):
            draw("not an overlay", axes)  # type: ignore[arg-type]  # that is the point


def test_flight_lines_of_a_survey_are_thinned_but_keep_their_ends() -> None:
    along = np.linspace(0, 10_000, 5001)
    survey = Survey(
        easting_m=np.tile(along, 2),
        northing_m=np.repeat([0.0, 100.0], 5001),
        tmi_nt=np.zeros(10_002),
        line=np.repeat([0, 1], 5001).astype(np.int32),
        line_names=("L1", "L2"),
    )
    lines = FlightLines.from_survey(survey)
    assert len(lines.paths) == 2
    for path in lines.paths:
        assert len(path) < 900
        assert path[[0, -1], 0].tolist() == [0.0, 10_000.0]


def panel() -> Panel:
    return Panel(
        figure=new_figure(3.0, 5.0),
        left_in=0.2,
        width_in=2.0,
        bottom_in=0.2,
        top_in=4.8,
        page_in=(3.0, 5.0),
    )


@pytest.mark.parametrize(
    ("convergence_deg", "words", "leans"),
    [(0.01, "grid north agrees", 0), (1.3, "1.3° east", -1), (-2.0, "2.0° west", 1)],
)
def test_the_arrow_leans_towards_true_north(convergence_deg: float, words: str, leans: int) -> None:
    """Grid north east of true north puts true north to the left of straight up."""
    column = panel()
    column.draw_north_arrow(convergence_deg=convergence_deg)
    axes = column.figure.axes[0]
    assert words in axes.texts[1].get_text()
    tip = axes.texts[0].get_position()[0] - 0.2
    assert np.sign(round(tip, 3)) == leans


@pytest.mark.parametrize(
    ("metres_per_inch", "end"), [(100.0, "100 m"), (3000.0, "5 km"), (0.4, "0.5 m")]
)
def test_the_scale_bar_is_as_long_as_it_says(metres_per_inch: float, end: str) -> None:
    column = panel()
    column.draw_scale_bar(metres_per_inch=metres_per_inch)
    axes = column.figure.axes[0]
    assert axes.texts[-1].get_text() == end
    value, unit = end.split()
    drawn = sum(bar.get_path().get_extents(bar.get_patch_transform()).width for bar in axes.patches)
    assert drawn * metres_per_inch == pytest.approx(float(value) * (1000 if unit == "km" else 1))
