"""``quetzal cost``: what a survey costs, what it would detect, and whether it pays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quetzalcore.cli.console import print_json, print_table, say
from quetzalcore.errors import BadParameter, Where
from quetzalcore.settings import Settings

if TYPE_CHECKING:
    from quetzalcore.geophysics.economics import CostResult, Quantiles

__all__ = ["cost"]


def cost(
    context: typer.Context,
    *,
    area: Annotated[float, typer.Option(metavar="KM2", help="Area to survey.")],
    method: Annotated[
        list[str] | None,
        typer.Option(help="magnetometry, gradiometry, radiometrics. Repeatable."),
    ] = None,
    platform: Annotated[
        str, typer.Option(help="drone, helicopter, fixed-wing or ground.")
    ] = "drone",
    spacing: Annotated[
        float | None, typer.Option(metavar="M", help="Line spacing; default: the best one.")
    ] = None,
    height: Annotated[
        float | None, typer.Option(metavar="M", help="Sensor above ground; default by platform.")
    ] = None,
    radius: Annotated[
        float | None, typer.Option(metavar="M", help="Radius of the body looked for.")
    ] = None,
    depth: Annotated[float | None, typer.Option(metavar="M", help="Depth to its centre.")] = None,
    susceptibility: Annotated[
        float | None, typer.Option(metavar="SI", help="Its susceptibility.")
    ] = None,
    prior: Annotated[
        float | None, typer.Option(metavar="P", help="Chance that it is there, 0 to 1.")
    ] = None,
    value: Annotated[
        float | None, typer.Option(metavar="USD", help="What finding it is worth.")
    ] = None,
    rates: Annotated[Path | None, typer.Option(help="Your own rates (TOML).")] = None,
    seed: Annotated[int, typer.Option(help="Of the Monte Carlo draws.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Estimate cost, detection probability, best line spacing, and what knowing is worth.

    Example: quetzal cost --area 10 --method magnetometry --platform drone
    """
    import numpy as np  # noqa: PLC0415 -- heavy

    from quetzalcore.geophysics import economics  # noqa: PLC0415 -- heavy

    settings: Settings = context.obj
    body: dict[str, Any] = {
        "radius_m": radius, "depth_to_centre_m": depth, "susceptibility_si": susceptibility,
    }  # fmt: skip
    request = economics.CostRequest(
        area_km2=area,
        methods=tuple(method or [economics.Method.MAGNETOMETRY]),  # type: ignore[arg-type]  # checked there
        platform=platform,  # type: ignore[arg-type]  # checked there
        line_spacing_m=spacing,
        sensor_height_m=height,
        target=economics.Target(**{name: v for name, v in body.items() if v is not None}),
        prior_probability=prior,
        discovery_value_usd=value,
    )
    table = economics.load_rates(_rates_text(rates or settings.rates_file))
    result = economics.estimate(request, table, np.random.default_rng(seed))
    if as_json:
        print_json(economics.to_dict(result))
    else:
        _print(result)


def _rates_text(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise BadParameter(
            "the rates cannot be read",
            hint="give an existing TOML file",
            where=Where(file=str(path)),
        ) from None


def _print(result: CostResult) -> None:
    rows = [
        [name.replace("_", " "), *_range(found)] for name, found in result.breakdown_usd.items()
    ]
    rows.append(["total", *_range(result.total_usd)])
    chosen = "chosen" if result.spacing_was_optimised else "asked for"
    title = f"{result.line_km:,.0f} line-km at {result.line_spacing_m:,.0f} m ({chosen}), USD"
    print_table(title, ["item", "P10", "P50", "P90"], rows)
    seen = result.detection
    say(
        f"Detection: a line crosses the body with {seen.crossing:.0%}, it stands out of the noise "
        f"then with {seen.visible_if_crossed:.0%}: {seen.combined:.0%} together "
        f"({seen.amplitude_nt:,.1f} nT straight above)."
    )
    best = result.optimal_spacing
    say(
        f"Best spacing by detection per dollar: {best.spacing_m:,.0f} m "
        f"({best.probability:.0%} for {best.expected_cost_usd:,.0f} USD)."
    )
    blind = result.drilling
    say(
        f"Blind drilling to the same chance needs {blind.holes:,.0f} holes "
        f"({_words(blind.drilling_usd)}); survey and {blind.follow_up_holes} holes cost "
        f"{_words(blind.survey_and_follow_up_usd)}."
    )
    if result.information is not None:
        gained = result.information
        say(
            f"Value of the information: {gained.information_usd:,.0f} USD, less the survey "
            f"{gained.net_usd:,.0f} USD."
        )
    for line in result.assumptions:
        say(f"Assumed: {line}")


def _range(found: Quantiles) -> list[str]:
    return [f"{value:,.0f}" for value in (found.p10, found.p50, found.p90)]


def _words(found: Quantiles) -> str:
    return f"{found.p50:,.0f} USD, {found.p10:,.0f} to {found.p90:,.0f}"
