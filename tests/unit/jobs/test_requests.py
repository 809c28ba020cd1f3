"""When two requests ask for the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quetzalcore.jobs.model import InputFile, JobRequest
from quetzalcore.jobs.requests import digest_of

_ASKED = JobRequest(
    tenant="t",
    user="u",
    kind="k",
    kind_version="1",
    run="x:y",
    params={"field": {"date": "2026-01-01", "intensity_nt": None}, "top_n": 5},
    inputs=(InputFile(name="a.csv", key="k1", size=1, sha256="aa"),),
    reuse_key="t:1",
    assumed=("field.date",),
)


def test_what_is_assumed_is_not_asked_for() -> None:
    other = {"field": {"date": "2026-01-02", "intensity_nt": None}, "top_n": 5}
    assert digest_of(replace(_ASKED, params=other, reuse_key="t:2")) == digest_of(_ASKED)


@pytest.mark.parametrize(
    "change",
    [
        {"params": {"field": {"date": "2026-01-01", "intensity_nt": 5.0}, "top_n": 5}},
        {"params": {"field": {"date": "2026-01-01", "intensity_nt": None}, "top_n": 6}},
        {"reuse_key": ""},
        {"assumed": ()},
        {"user": "v"},
        {"inputs": (InputFile(name="a.csv", key="k1", size=1, sha256="bb"),)},
    ],
    ids=["nested", "plain", "reuse", "assumed", "user", "file"],
)
def test_everything_else_is(change: dict) -> None:
    assert digest_of(replace(_ASKED, **change)) != digest_of(_ASKED)


def test_what_only_names_the_call_is_not_asked_for() -> None:
    files = (InputFile(name="a.csv", key="k2", size=1, sha256="aa"),)
    again = replace(_ASKED, inputs=files, request_id="r", idempotency_key="i")
    assert digest_of(again) == digest_of(_ASKED)
