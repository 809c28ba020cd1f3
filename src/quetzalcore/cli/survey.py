"""``quetzal survey``: run, inspect, simulate."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from quetzalcore.cli.console import note, print_json, print_table, progress_bar, say
from quetzalcore.cli.inspection import print_inspection
from quetzalcore.cli.survey_options import build_config, parse_pairs, read_earlier, read_toml
from quetzalcore.errors import BadOutput, BadParameter
from quetzalcore.settings import Settings

__all__ = ["app"]

app = typer.Typer(
    help="A magnetic survey: look at it, process it, or make one.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

File = Annotated[Path | None, typer.Argument(help="The survey: CSV, XYZ, ASEG-GDF2, Parquet, ...")]
Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="ROLE=NAME", help="Which column plays a role. Repeatable."),
]
Units = Annotated[
    list[str] | None,
    typer.Option("--unit", metavar="ROLE=UNIT", help="Unit of a role's column. Repeatable."),
]
Crs = Annotated[str | None, typer.Option(help="CRS of projected input, for example EPSG:32754.")]
Date = Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="Date of the survey, UTC.")]
HeightRole = Annotated[
    str | None, typer.Option(help="ellipsoidal, orthometric or clearance (above ground).")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command(
    epilog="Example: quetzal survey run survey.csv --date 1990-07-01 --base-station base.csv -o out"
)
def run(
    context: typer.Context,
    file: File = None,
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for the products.")
    ] = None,
    crs: Crs = None,
    date: Date = None,
    base_station: Annotated[Path | None, typer.Option(help="Base-station readings.")] = None,
    calibration: Annotated[
        Path | None, typer.Option(help="Compensation flight with fluxgate channels.")
    ] = None,
    dem: Annotated[Path | None, typer.Option(help="Ground elevation grid (GeoTIFF).")] = None,
    cell_size: Annotated[float | None, typer.Option(metavar="M", help="Grid cell, metres.")] = None,
    gridding: Annotated[
        str | None, typer.Option(help="minimum-curvature or equivalent-sources.")
    ] = None,
    tension: Annotated[float | None, typer.Option(help="Of minimum curvature, 0 to 1.")] = None,
    inclination: Annotated[
        float | None, typer.Option(help="Of the main field, degrees, down positive.")
    ] = None,
    declination: Annotated[
        float | None, typer.Option(help="Of the main field, degrees, east of true north.")
    ] = None,
    height_role: HeightRole = None,
    geoid_height: Annotated[
        float | None, typer.Option(metavar="M", help="Geoid above ellipsoid, metres.")
    ] = None,
    top: Annotated[int | None, typer.Option(help="How many drill targets at most.")] = None,
    min_anomaly: Annotated[
        float | None, typer.Option(metavar="NT", help="Weakest anomaly to report.")
    ] = None,
    commodity: Annotated[
        str | None, typer.Option(help="What is looked for: sets the prior.")
    ] = None,
    geology: Annotated[str | None, typer.Option(help="Setting: sets the prior.")] = None,
    title: Annotated[str | None, typer.Option(help="Title of the report.")] = None,
    client: Annotated[str | None, typer.Option(help="Client on the report's cover.")] = None,
    skip: Annotated[
        list[str] | None, typer.Option(metavar="STAGE", help="Leave a stage out. Repeatable.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="survey.toml; options win over it.")] = None,
    from_result: Annotated[
        Path | None, typer.Option("--from", help="result.json of a run to repeat.")
    ] = None,
    column: Columns = None,
    unit: Units = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no table.")] = False,
    as_json: Json = False,
) -> None:
    """Process a survey: read, check, condition, grid, transform, find depths and targets, report."""
    from quetzalcore.workloads.mag_survey.analysis import Request  # noqa: PLC0415 -- heavy
    from quetzalcore.workloads.mag_survey.pipeline import run_survey  # noqa: PLC0415 -- heavy

    earlier = read_earlier(from_result, file)
    options: dict[str, Any] = {
        "skip": skip,
        "input": {
            "columns": parse_pairs(column or [], option="--column"),
            "units": parse_pairs(unit or [], option="--unit"),
            "crs": crs,
            "date": date,
            "base_station": base_station,
            "calibration": calibration,
            "dem": dem,
            "height_role": height_role,
            "geoid_height_m": geoid_height,
        },
        "field": {"inclination_deg": inclination, "declination_deg": declination},
        "grid": {"cell_size_m": cell_size, "method": gridding, "tension": tension},
        "targets": {
            "top_n": top,
            "min_anomaly_nt": min_anomaly,
            "commodity": commodity,
            "geology": geology,
        },
        "report": {"title": title, "client": client},
    }
    settings: Settings = context.obj
    options["threads"] = settings.threads
    built = build_config(
        earlier=earlier.params if earlier else {}, file=read_toml(config), options=options
    )
    source = file or (earlier.paths["survey"] if earlier else None)
    if source is None:
        raise BadParameter(
            "no survey file is named", hint="give one, or --from result.json of an earlier run"
        )
    folder = output or Path(f"{source.name.split('.')[0]}-products")
    with progress_bar(wanted=not (quiet or as_json)) as progress:
        request = Request(
            source=source,
            config=built,
            now=dt.datetime.now(tz=dt.UTC),
            clock=time.perf_counter,
            progress=progress,
            expected_digests=earlier.digests if earlier else {},
            priors_file=earlier.paths.get("priors") if earlier else settings.priors_file,
        )
        outcome = run_survey(request, folder)
    if as_json:
        print_json(outcome.document)
    elif not quiet:
        _print_outcome(outcome.document, folder)


@app.command(epilog="Example: quetzal survey inspect survey.csv")
def inspect(
    file: Annotated[Path, typer.Argument(help="The survey.")],
    *,
    crs: Crs = None,
    date: Date = None,
    height_role: HeightRole = None,
    column: Columns = None,
    unit: Units = None,
    as_json: Json = False,
) -> None:
    """Show columns, roles, units, lines and coordinate system, and what run would assume."""
    from quetzalcore import formats  # noqa: PLC0415 -- heavy
    from quetzalcore.workloads.mag_survey.reading import read_options  # noqa: PLC0415 -- heavy

    given = {
        "columns": parse_pairs(column or [], option="--column"),
        "units": parse_pairs(unit or [], option="--unit"),
        "crs": crs,
        "date": date,
        "height_role": height_role,
    }
    config = build_config(earlier={}, file={}, options={"input": given})
    print_inspection(formats.inspect(file, options=read_options(config.input)), as_json=as_json)


@app.command(epilog="Example: quetzal survey simulate -o survey.csv --seed 7")
def simulate(
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The survey; base station and truth beside it.")
    ] = Path("survey.csv"),
    seed: Annotated[int, typer.Option(help="Another seed gives another day and ground.")] = 1,
) -> None:
    """Make a realistic survey over known bodies, with every error of acquisition."""
    from quetzalcore.workloads import simulated  # noqa: PLC0415 -- heavy

    if output.exists():
        raise BadOutput(f"{output} exists already", hint="give another file with -o, or remove it")
    files = simulated.write_files(simulated.simulate_default(seed), output)
    say(f"{files.survey}\n{files.base_station}\n{files.bodies}")


def _print_outcome(document: dict[str, Any], folder: Path) -> None:
    info, qc = document["survey_info"], document["qc"]
    rows = [
        ["stations", f"{info['num_stations']:,}"],
        ["lines", f"{qc['traverses']} traverses, {qc['ties']} ties, {info['line_km']:,.0f} km"],
        ["area", f"{info['area_km2']:,.1f} km2"],
        ["noise", f"{qc['noise_nT']:.2f} nT"],
        ["grids", f"{len(document['grids'])}"],
        ["depth solutions", f"{sum(d['solutions'] for d in document['depth_methods']):,}"],
        ["drill targets", f"{len(document['drill_targets'])}"],
    ]
    print_table("Survey", ["what", "value"], rows)
    targets = [
        [
            str(t["rank"]),
            f"{t['easting_m']:.0f}",
            f"{t['northing_m']:.0f}",
            f"{t['depth_m']:.0f}",
            f"{t['anomaly_nT']:.0f}",
            t["source_classes"][0]["title"] if t["source_classes"] else "",
        ]
        for t in document["drill_targets"][:10]
    ]
    if targets:
        columns = ["rank", "easting m", "northing m", "depth m", "nT", "likeliest (uncalibrated)"]
        print_table("Drill targets", columns, targets)
    for warning in qc["warnings"]:
        note(f"Warning: {warning}")
    report = folder / "report.html"
    say(str(report if report.is_file() else folder / "result.json"))
