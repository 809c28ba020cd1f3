"""The report: all of it in one file, and the same figures in both forms."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import replace

from tests.unit.ops_stress.loads import PLAN, steady

from quetzalcore.ops.stress.figures import figures_of
from quetzalcore.ops.stress.plan import LoadPlan, weights
from quetzalcore.ops.stress.record import Record
from quetzalcore.ops.stress.report import StressReport
from quetzalcore.ops.stress.verdict import Targets, judge


def report(record: Record, *, plan: LoadPlan = PLAN) -> StressReport:
    figures = figures_of(record, plan)
    return StressReport(
        plan=plan,
        weights=weights(plan.scenario, system=True),
        targets=Targets(),
        figures=figures,
        verdict=judge(figures, Targets(), serving=2),
        began_at=dt.datetime(2026, 11, 21, 8, 30, tzinfo=dt.UTC),
        version="0.0.test",
    )


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = report(steady({"one": 120, "two": 130})).page()
    assert not re.search(r"<script|<link|url\(|@import|src=\"(?!data:)", page)
    assert page.count('<img src="data:image/png;base64,') == 3
    assert "default-src 'none'" in page


def test_the_verdict_is_at_the_top_in_words() -> None:
    good = report(steady({"one": 120, "two": 130}))
    assert good.words == "Every target is met."
    bad = report(steady({"one": 120, "two": 10}, took_ms=3000.0))
    assert bad.words == (
        "Not met: mean response time, requests/s an instance, spread over instances."
    )
    page = bad.page()
    assert 0 < page.index(bad.words) < page.index("<h2>")
    assert report(steady({"one": 120}, seconds=7)).words == "The run is too short to judge."


def test_one_instance_needs_no_picture_of_its_own() -> None:
    assert report(steady({"one": 120})).page().count("<img ") == 2


def test_a_run_that_measured_nothing_has_a_page_too() -> None:
    page = report(Record()).page()
    assert "too short to draw" in page
    assert "No request was answered" in page


def test_what_came_from_outside_is_shown_as_text() -> None:
    plan = replace(PLAN, url="http://<b>x</b>")
    page = report(steady({"<i>one</i>": 120}), plan=plan).page()
    assert "<b>x</b>" not in page
    assert "<i>one</i>" not in page


def test_the_document_is_json_and_holds_the_figures() -> None:
    said = json.loads(
        json.dumps(report(steady({"one": 120, "two": 130})).document(), allow_nan=False)
    )
    assert said["verdict"]["outcome"] == "met"
    assert said["figures"]["per_s_an_instance"] == 125
    assert said["figures"]["requests"] == 5000
    assert [each["instance"] for each in said["figures"]["instances"]] == ["one", "two"]
    assert len(said["history"]) == 25
    assert said["plan"]["scenario"] == "read"
    assert said["began_at"] == "2026-11-21T08:30:00+00:00"


def test_the_same_figures_give_the_same_page() -> None:
    record = steady({"one": 120, "two": 130})
    assert report(record).page() == report(record).page()
