from __future__ import annotations

import json
from pathlib import Path

import pytest

from quetzalcore.cli.survey_options import build_config, parse_pairs, read_earlier, read_toml
from quetzalcore.errors import BadParameter
from quetzalcore.workloads.mag_survey.config import Stage


def test_options_win_over_the_file_and_the_file_over_an_earlier_run() -> None:
    config = build_config(
        earlier={"grid": {"cell_size_m": 10.0, "tension": 0.5}, "skip": ["maps"]},
        file={"grid": {"cell_size_m": 20.0}},
        options={"grid": {"cell_size_m": 30.0, "tension": None}, "skip": None},
    )
    assert config.grid.cell_size_m == 30.0
    assert config.grid.tension == 0.5
    assert not config.runs(Stage.MAPS)
    assert config.runs(Stage.DEPTH)


def test_an_unknown_stage_key_or_value_is_named() -> None:
    with pytest.raises(BadParameter, match="no stage 'levling' to skip: choose from despike"):
        build_config(earlier={}, file={}, options={"skip": ["levling"]})
    with pytest.raises(BadParameter, match=r"there is no key grid\.cellsize"):
        build_config(earlier={}, file={"grid": {"cellsize": 3}}, options={})
    with pytest.raises(BadParameter, match=r"grid\.cell_size_m is -1"):
        build_config(earlier={}, file={"grid": {"cell_size_m": -1}}, options={})


def test_a_pair_needs_both_sides() -> None:
    assert parse_pairs(["tmi=MAG=1"], option="--column") == {"tmi": "MAG=1"}
    with pytest.raises(BadParameter, match="--column 'tmi' is not role=name"):
        parse_pairs(["tmi"], option="--column")


def test_toml_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    assert read_toml(None) == {}
    with pytest.raises(BadParameter, match="cannot be read"):
        read_toml(tmp_path / "none.toml")
    bad = tmp_path / "survey.toml"
    bad.write_text("a = = 1")
    with pytest.raises(BadParameter, match=r"survey\.toml: it is not TOML"):
        read_toml(bad)
    bad.write_text("skip = ['maps']")
    assert read_toml(bad) == {"skip": ["maps"]}


def test_an_earlier_run_gives_its_parameters_and_digests(tmp_path: Path) -> None:
    assert read_earlier(None) is None
    path = tmp_path / "result.json"
    inputs = [{"role": "survey", "path": "a.csv", "sha256": "ff"}]
    path.write_text(json.dumps({"provenance": {"params": {"skip": []}, "inputs": inputs}}))
    earlier = read_earlier(path)
    assert earlier is not None
    assert earlier.digests == {"survey": "ff"}
    assert earlier.paths["survey"] == Path("a.csv")


def test_something_else_is_not_an_earlier_run(tmp_path: Path) -> None:
    with pytest.raises(BadParameter, match="cannot be read"):
        read_earlier(tmp_path / "none.json")
    path = tmp_path / "result.json"
    path.write_text("[1]")
    with pytest.raises(BadParameter, match=r"not the result\.json of a survey run"):
        read_earlier(path)


def test_a_table_that_is_no_table_and_a_list_that_is_no_list_are_named() -> None:
    with pytest.raises(BadParameter, match=r"grid is 3: write a table: \[grid\]"):
        build_config(earlier={}, file={"grid": 3}, options={"grid": {"cell_size_m": 30.0}})
    with pytest.raises(BadParameter, match="skip is 'maps': write a list"):
        build_config(earlier={}, file={"skip": "maps"}, options={})


def test_stages_to_skip_add_up() -> None:
    config = build_config(
        earlier={"skip": ["maps"]}, file={"skip": ["lag"]}, options={"skip": ["lag"]}
    )
    assert config.skip == (Stage.MAPS, Stage.LAG)
