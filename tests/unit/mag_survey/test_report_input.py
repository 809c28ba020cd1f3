from __future__ import annotations

import pytest

from quetzalcore.reporting import Fact, StageStatus
from quetzalcore.workloads.mag_survey.config import SurveyConfig
from quetzalcore.workloads.mag_survey.record import Outcome, StageRecord
from quetzalcore.workloads.mag_survey.report_input import parameter_facts, stage_row


@pytest.mark.parametrize(
    ("name", "given", "fact"),
    [
        ("lag_s", 0.43219876, Fact(name="lag", value="0.4322 s")),
        ("base_nt_m", 0.5, Fact(name="base", value="0.5 nT/m")),
        ("cell_size_m", 50.0, Fact(name="cell size", value="50 m")),
        ("median_field_nt", 51440.3999, Fact(name="median field", value="51,440 nT")),
        ("offset_nt", -3.1464, Fact(name="offset", value="\N{MINUS SIGN}3.146 nT")),
        ("rows_lost", 1234, Fact(name="rows lost", value="1,234")),
        ("pole_in_panels", False, Fact(name="pole in panels", value="no")),
        ("method", "euler", Fact(name="method", value="euler")),
    ],
)
def test_a_parameter_reads_as_words_with_a_unit(name: str, given: object, fact: Fact) -> None:
    row = stage_row(StageRecord(stage="x", outcome=Outcome.DONE, parameters={name: given}))
    assert row.parameters == (fact,)


def test_a_change_is_told_without_exponents() -> None:
    done = StageRecord(
        stage="igrf", outcome=Outcome.DONE, rows_changed=67_728, rms_change_nt=51_444.4,
        max_change_nt=51_500.0,
    )  # fmt: skip
    assert stage_row(done).changed == "67,728 readings, 51,444 nT RMS, at most 51,500 nT"
    left = StageRecord(stage="lag", outcome=Outcome.SKIPPED, reason="left out on request")
    assert stage_row(left).changed == "left out on request"
    assert stage_row(left).status is StageStatus.SKIPPED


def test_parameters_are_listed_without_empty_lists_and_tables() -> None:
    facts = parameter_facts(SurveyConfig(skip=("maps", "lag")).model_dump(mode="json"))
    told = {fact.name: fact.value for fact in facts}
    assert told["skip"] == "maps, lag"
    assert told["grid.ties"] == "no"
    assert not {"[]", "{}", "None", "default", "", "True", "False"} & set(told.values())
