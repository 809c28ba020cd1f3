"""Tables that people copy from."""

from __future__ import annotations

import pytest

from quetzalcore.cli.console import print_table


def test_an_id_stays_whole_beside_a_long_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    job_id = "01m7zqqq0m84z964ccj1kdzs8e"
    row = [job_id, "mag_survey", "failed", "2026-11-21T19:01", "The survey cannot be processed"]
    print_table("Jobs", ["id", "kind", "state", "submitted (UTC)", ""], [row])
    said = capsys.readouterr().out
    assert job_id in said
    assert "processed" in said
