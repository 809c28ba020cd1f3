"""``quetzal demo``: simulate a survey, process it, and set what was found beside what is there."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Annotated

import typer

from quetzalcore.cli.console import note, print_table, progress_bar, say
from quetzalcore.cli.survey_options import build_config

__all__ = ["demo"]


def demo(
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the survey and its products.")
    ] = Path("quetzal-demo"),
    seed: Annotated[int, typer.Option(help="Another seed gives another day and ground.")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Simulate a survey over known bodies, run the main job on it, compare found with true.

    Example: quetzal demo -o demo
    """
    from quetzalcore.workloads import simulated  # noqa: PLC0415 -- heavy
    from quetzalcore.workloads.mag_survey.analysis import Request  # noqa: PLC0415 -- heavy
    from quetzalcore.workloads.mag_survey.pipeline import run_survey  # noqa: PLC0415 -- heavy

    note("Simulating an airborne survey over known bodies ...")
    truth = simulated.simulate_default(seed)
    files = simulated.write_files(truth, output / "survey.csv")
    config = build_config(
        earlier={},
        file={},
        options={
            "input": {"base_station": files.base_station},
            "report": {"title": "Demonstration survey (simulated)"},
        },
    )
    with progress_bar(wanted=not quiet) as progress:
        request = Request(
            source=files.survey,
            config=config,
            now=dt.datetime.now(tz=dt.UTC),
            clock=time.perf_counter,
            progress=progress,
            expected_digests={},
        )
        outcome = run_survey(
            request,
            output / "products",
            compare=lambda found: simulated.compare_with_truth(truth.bodies, found),
        )
    targets = outcome.analysis.targets
    if targets is not None:
        _print_comparison(*simulated.truth_rows(truth.bodies, targets))
    say(f"Report: {output / 'products' / 'report.html'}")


def _print_comparison(compared: object, rows: tuple[object, ...]) -> None:
    from quetzalcore.geophysics.simulation import Comparison  # noqa: PLC0415 -- heavy
    from quetzalcore.reporting import BodyComparison  # noqa: PLC0415 -- heavy

    table = [
        [
            row.name,
            f"{row.true_depth_m:.0f}",
            "" if row.found_rank is None else str(row.found_rank),
            "" if row.offset_m is None else f"{row.offset_m:.0f}",
            "" if row.found_depth_m is None else f"{row.found_depth_m:.0f}",
            row.note,
        ]
        for row in rows
        if isinstance(row, BodyComparison)
    ]
    columns = ["body", "true depth m", "found as rank", "off by m", "found m", "depth interval"]
    print_table("True against found", columns, table)
    if isinstance(compared, Comparison):
        say(
            f"{compared.found} of {len(compared.rows)} bodies found; "
            f"{len(compared.false_targets)} targets lie near none of them."
        )
