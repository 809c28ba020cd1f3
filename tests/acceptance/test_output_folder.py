"""What happens to files that are in the way: nothing of the user's is ever deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

FAST = (
    "--crs", "EPSG:32754", "--quiet",
    *(option for stage in ("transforms", "maps", "report") for option in ("--skip", stage)),
)  # fmt: skip


@pytest.fixture
def survey(tmp_path: Path, rows) -> Path:
    path = tmp_path / "survey.csv"
    path.write_text(rows.csv())
    return path


def test_a_survey_inside_the_output_folder_is_never_deleted(quetzal, survey: Path) -> None:
    folder = survey.parent / "out"
    assert quetzal("survey", "run", survey, "-o", folder, *FAST).code == 0
    inside = folder / "survey.csv"
    inside.write_bytes(survey.read_bytes())
    said = quetzal("survey", "run", inside, "-o", folder, *FAST)
    assert said.code == 1
    assert "lies in the output folder" in said.err
    assert inside.read_bytes() == survey.read_bytes()
    said = quetzal("survey", "run", survey, "-o", folder, *FAST)
    assert said.code == 1
    assert "survey.csv" in said.err
    assert inside.is_file()


def test_products_are_no_input_of_the_run_that_replaces_them(quetzal, survey: Path) -> None:
    folder = survey.parent / "out"
    assert quetzal("survey", "run", survey, "-o", folder, *FAST).code == 0
    said = quetzal("survey", "run", folder / "survey.parquet", "-o", folder, *FAST)
    assert said.code == 1
    assert "lies in the output folder" in said.err


def test_the_working_folder_may_be_the_output_folder(
    quetzal, survey: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = survey.parent / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for _ in range(2):
        assert quetzal("survey", "run", survey, "-o", ".", *FAST).code == 0
    assert sorted(path.name for path in here.iterdir()) == [
        "grids",
        "result.json",
        "survey.parquet",
    ]
