from __future__ import annotations

import datetime as dt
import json
from pathlib import PurePosixPath

import numpy as np

from quetzalcore.workloads.mag_survey.record import Outcome, StageLog, StageRecord
from quetzalcore.workloads.mag_survey.result import to_json


def test_value_objects_become_plain_json() -> None:
    record = StageRecord(stage="lag", outcome=Outcome.DONE, parameters={"lag_s": np.float64(0.5)})
    tree = {
        "record": record,
        "when": dt.date(2026, 1, 2),
        "path": PurePosixPath("a/b"),
        "bad": [float("nan"), np.inf, 1.5],
        "array": np.arange(3),
        "none": None,
        "flag": True,
    }
    back = json.loads(json.dumps(to_json(tree), allow_nan=False))
    assert back["record"]["outcome"] == "done"
    assert back["record"]["parameters"] == {"lag_s": 0.5}
    assert back["when"] == "2026-01-02"
    assert back["path"] == "a/b"
    assert back["bad"] == [None, None, 1.5]
    assert back["array"] == [0, 1, 2]
    assert back["none"] is None
    assert back["flag"] is True


def test_the_log_times_stages_and_keeps_each_warning_once() -> None:
    ticks = iter([0.0, 2.0, 5.0])
    log = StageLog(clock=lambda: next(ticks))
    log.add(StageRecord(stage="read", outcome=Outcome.DONE, warnings=("w",)))
    log.add(StageRecord(stage="lag", outcome=Outcome.SKIPPED, warnings=("w", "v")))
    log.caution("v", "u")
    assert [r.duration_s for r in log.records] == [2.0, 3.0]
    assert log.warnings == ("w", "v", "u")
