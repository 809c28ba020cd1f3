"""``quetzal igrf``: the main field at one point."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer

from quetzalcore.cli.console import print_json, print_table
from quetzalcore.errors import BadParameter

__all__ = ["igrf"]


def parse_date(text: str) -> dt.date:
    """Read a date option.

    Raises
    ------
    BadParameter
        If it is not YYYY-MM-DD.
    """
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise BadParameter(
            f"--date is {text!r}", hint="write it as YYYY-MM-DD, for example 2024-05-14"
        ) from None


def igrf(
    longitude: Annotated[float, typer.Option(metavar="DEG", help="East positive.")],
    latitude: Annotated[float, typer.Option(metavar="DEG", help="Geodetic, north positive.")],
    height: Annotated[float, typer.Option(metavar="M", help="Above the WGS 84 ellipsoid.")],
    date: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="1900 to 2029-12-31, UTC.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Print the main field (IGRF-14) at a point: components, strength and direction.

    Example: quetzal igrf --longitude -43.7 --latitude -23.5 --height 700 --date 2024-01-01
    """
    from quetzalcore.geophysics import igrf as model  # noqa: PLC0415 -- heavy

    there = model.field(longitude, latitude, height, model.decimal_year(parse_date(date)))
    values = {
        "easting_nt": there.easting_nt,
        "northing_nt": there.northing_nt,
        "upward_nt": there.upward_nt,
        "total_nt": there.total_nt,
        "inclination_deg": there.inclination_deg,
        "declination_deg": there.declination_deg,
    }
    plain = {name: round(float(value), 4) for name, value in values.items()}
    if as_json:
        print_json(plain)
    else:
        print_table(
            f"IGRF-14 at {date}", ["what", "value"], [[k, f"{v:.2f}"] for k, v in plain.items()]
        )
