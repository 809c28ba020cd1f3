from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quetzalcore.reporting import (
    BodyComparison,
    ClassProbability,
    DepthRow,
    Fact,
    Picture,
    RejectedRow,
    ReportFigure,
    ReportInput,
    ReportTarget,
    Stage,
    StageStatus,
    render_report,
    write_report,
)
from quetzalcore.reporting.html import number

HOSTILE = "<script>alert('x')</script>\" onload=\"evil()"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Collect what a test asks about, and fail on tags that do not close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def parse(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page


def figure(title: str = "Map", *, continuous: bool = True) -> ReportFigure:
    pixels = np.full((30, 40, 3), 200, np.uint8)
    return ReportFigure(
        title=title, picture=Picture(pixels=pixels, continuous=continuous), caption="c", alt=HOSTILE
    )


def target(rank: int = 1) -> ReportTarget:
    return ReportTarget(
        rank=rank,
        easting_m=501_234.0,
        northing_m=7_500_000.0,
        depth_low_m=80.0,
        depth_high_m=120.0,
        depth_to="centre",
        depth_below=HOSTILE,
        amplitude_nt=-1234.0,
        classes=(ClassProbability(name=HOSTILE, probability=0.4),),
        azimuth_deg=45.0,
        dip_deg=60.0,
        collar="here",
        length_m=200.0,
        longitude_deg=140.5,
        latitude_deg=-22.0,
        score=0.5,
        reasons=(HOSTILE,),
    )


def full() -> ReportInput:
    facts = (Fact(name=HOSTILE, value=HOSTILE),)
    return ReportInput(
        title=HOSTILE,
        subtitle=HOSTILE,
        date="21 November 2026",
        version="0.1.0",
        cover_map=figure(),
        key_facts=facts,
        summary=(HOSTILE,),
        survey=facts,
        stages=(
            Stage(name=HOSTILE, parameters=facts * 2, changed="1 nT", warnings=(HOSTILE,)),
            Stage(name="IGRF", status=StageStatus.SKIPPED, changed="an anomaly already"),
        ),
        quality=facts,
        quality_figures=(figure(continuous=False),),
        maps=(figure("One"), figure("Two")),
        depths=(
            DepthRow(method="Euler", solutions=10, shallow_m=1, median_m=2, deep_m=float("nan")),
        ),
        depth_figures=(figure(),),
        targets=(target(), replace(target(2), classes=(), length_m=None, score=None, reasons=())),
        target_figures=(figure(),),
        comparison=(
            BodyComparison(
                name="A", true_easting_m=1, true_northing_m=2, true_depth_m=3, found_rank=1
            ),
            BodyComparison(name="B", true_easting_m=1, true_northing_m=2, true_depth_m=3),
        ),
        rejected=(RejectedRow(row=7, reason="no number", content=HOSTILE),),
        rejected_total=1234,
        warnings=(HOSTILE,),
        distrust=("Depths.",),
        methods=("Gridding.",),
        references=("Somebody (1990).",),
        parameters=facts,
        provenance=facts,
        rerun_command="quetzal survey run --from result.json",
    )


def test_every_picture_is_inside_and_decodes() -> None:
    images = parse(render_report(full())).all("img")
    assert len(images) == 6
    for image in images:
        head, content = str(image["src"]).split(",", 1)
        assert head in {"data:image/jpeg;base64", "data:image/png;base64"}
        with Image.open(io.BytesIO(base64.b64decode(content))) as decoded:
            assert decoded.size == (40, 30)
        assert image["alt"]


def test_nothing_outside_is_loaded_and_no_script_runs() -> None:
    html = render_report(full())
    page = parse(html)
    assert not page.all("script")
    assert not page.all("link")
    assert not page.all("iframe")
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    sources = [v for _, attrs in page.tags for k, v in attrs.items() if k in {"src", "href"} and v]
    assert all(source.startswith(("data:", "#")) for source in sources)
    assert "url(" not in html
    assert "@import" not in html
    policy = next(meta for meta in page.all("meta") if meta.get("http-equiv"))
    assert str(policy["content"]).startswith("default-src 'none'")


def test_hostile_names_are_text() -> None:
    html = render_report(full())
    assert "<script" not in html
    assert 'onload="evil' not in html
    assert HOSTILE in "".join(parse(html).text)


def test_the_page_can_be_read_aloud_and_by_heading() -> None:
    page = parse(render_report(full()))
    assert page.all("html")[0]["lang"] == "en"
    levels = [int(name[1]) for name, _ in page.tags if re.fullmatch(r"h\d", name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert len(page.all("caption")) == len(page.all("table")) == len(page.all("thead"))
    assert all("scope" in th for th in page.all("th"))


def test_the_contents_lead_to_what_is_there() -> None:
    page = parse(render_report(full()))
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = [str(a["href"])[1:] for a in page.all("a")]
    assert set(links) <= set(ids)
    assert {"maps", "targets", "comparison"} <= set(links)


def test_an_empty_report_says_so_instead_of_showing_empty_tables() -> None:
    page = parse(render_report(ReportInput(title="Nothing")))
    text = "".join(page.text)
    assert not page.all("table")
    assert "Every row of the input was used" in text
    assert "no warnings" in text
    assert {str(a["href"]) for a in page.all("a")} == {"#contents", "#distrust", "#rejected"}


def test_uncalibrated_stands_beside_every_probability_that_no_labels_support() -> None:
    said = "".join(parse(render_report(full())).text)
    assert said.count("uncalibrated") == 2
    supported = replace(full(), targets=(replace(target(), calibrated=True),))
    assert "uncalibrated" not in "".join(parse(render_report(supported)).text)


def test_rejected_rows_are_counted_even_where_only_some_are_listed() -> None:
    said = "".join(parse(render_report(full())).text)
    assert f"{number(1234)} rows were not used; the first 1 are listed" in said
    unlisted = ReportInput(title="t", rejected_total=5)
    assert "5 rows were not used" in "".join(parse(render_report(unlisted)).text)


def test_a_cover_map_that_is_also_a_map_is_embedded_once() -> None:
    shared = figure("One")
    report = ReportInput(title="t", cover_map=shared, maps=(shared, figure("Two")))
    page = parse(render_report(report))
    assert len(page.all("img")) == 2
    assert {"href": "#cover"} in page.all("a")


def test_a_body_that_was_not_found_says_so() -> None:
    assert "not found" in "".join(parse(render_report(full())).text)


def test_the_same_input_gives_the_same_file(tmp_path: Path) -> None:
    one, two = (write_report(full(), tmp_path / name) for name in ("a.html", "b.html"))
    assert one.read_bytes() == two.read_bytes()
    assert one.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_print_repeats_table_headers_and_knows_the_paper() -> None:
    html = render_report(full())
    assert "size: A4" in html
    assert "table-header-group" in html


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (None, 0, "\N{EN DASH}"),
        (float("nan"), 1, "\N{EN DASH}"),
        (-1234.56, 1, "\N{MINUS SIGN}1\N{NARROW NO-BREAK SPACE}234.6"),
        (0.0, 0, "0"),
    ],
)
def test_numbers_are_set_for_reading(value: float | None, decimals: int, text: str) -> None:
    assert number(value, decimals) == text


def test_a_target_says_what_its_depth_is_of_and_a_vertical_hole_has_no_azimuth() -> None:
    made = replace(target(1), azimuth_deg=None, dip_deg=90.0, depth_below="the sensor")
    text = render_report(replace(full(), targets=(made,)))
    assert "Depth to centre</strong> 80 to 120 m below the sensor" in text
    assert "<strong>Hole</strong> vertical, length 200 m" in text
    assert "None" not in text
