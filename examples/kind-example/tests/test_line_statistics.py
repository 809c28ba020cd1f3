"""The function called as a VM calls it: no platform is needed to test a kind."""

from __future__ import annotations

from pathlib import Path

import pytest
from line_statistics.kind import KIND
from line_statistics.run import run

from quetzalcore.workloads.parameters import canonical_params
from quetzalcore.workloads.task import TaskContext


def test_two_lines_have_two_spreads(tmp_path: Path) -> None:
    survey = tmp_path / "survey.csv"
    rows = [
        f"{line},{470000 + 100 * line},{7560000 + 10 * i},{line * i}"
        for line in (1, 2)
        for i in range(101)
    ]
    survey.write_text("line,easting,northing,tmi_anomaly_nt\n" + "\n".join(rows))
    output = tmp_path / "out"
    output.mkdir()
    told: list[str] = []
    result = run(
        TaskContext(
            params=canonical_params(KIND, {"crs": "EPSG:32754", "percentile": 100}),
            inputs={"survey.csv": survey},
            output=output,
            progress=lambda *step: told.append(str(step[0])),
            log=told.append,
            cores=1,
            memory_mib=512,
        )
    )
    assert result["lines"] == 2
    assert result["spread_nt"] == pytest.approx(100.0)
    assert (output / "lines.csv").read_text().splitlines()[1] == "1,101,50.0"
    assert told == ["read", "lines", "lines", "2 lines"]
