"""How the terminal shows what a survey file holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quetzalcore.cli.console import print_json, print_table, say

if TYPE_CHECKING:
    from quetzalcore.formats import Inspection

__all__ = ["print_inspection"]

_UNITS = {"nt": "nT", "ut": "uT", "pt": "pT"}
_WHOLE_FROM = 100_000.0
_SECONDS_FROM = 1e8  # no coordinate is that large: a Unix time, which nobody groups by thousands


def print_inspection(found: Inspection, *, as_json: bool) -> None:
    """Print the whole inspection, as JSON or as tables."""
    if as_json:
        print_json(found.to_json())
        return
    say(
        f"{found.path}: {found.format}{_through(found.compression)}, {found.rows:,} rows"
        + (f", {found.lines:,} lines" if found.lines else "")
        + (f", {found.crs}" if found.crs else "")
    )
    rows = [
        [
            column.name,
            column.role or "",
            _UNITS.get(column.unit or "", column.unit or ""),
            *(_number(value) for value in (column.minimum, column.median, column.maximum)),
            f"{column.missing:,}",
        ]
        for column in found.columns
    ]
    print_table(
        "Columns", ["name", "role", "unit", "minimum", "median", "maximum", "missing"], rows
    )
    channels = [
        [c.name, c.state, c.looks_like, "yes" if c.chosen else ""] for c in found.magnetic_channels
    ]
    if channels:
        print_table("Magnetic channels", ["name", "state by name", "looks like", "taken"], channels)
    for line in found.assumed:
        say(f"Assumed: {line}.")
    if found.rejected.count:
        say(f"{found.rejected.count:,} rows are not usable; the first:")
        for row in found.rejected.first[:5]:
            say(f"  row {row.row}: {row.reason}: {row.text}")
    if found.problem:
        say(f"It cannot be run as it is: {found.problem}: {found.hint}.")


def _through(compression: str) -> str:
    return "" if compression in {"", "none"} else f" ({compression})"


def _number(value: float | None) -> str:
    """Print six digits, and every digit before the point: coordinates and times need no exponent."""
    if value is None:
        return ""
    if abs(value) >= _SECONDS_FROM:
        return f"{value:.0f}"
    return f"{value:,.0f}" if abs(value) >= _WHOLE_FROM else f"{value:,.6g}"
