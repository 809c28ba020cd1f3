"""A report as one self-contained HTML file: nothing outside it is ever loaded."""

from __future__ import annotations

import base64
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from quetzalcore.reporting.contents import ReportInput
from quetzalcore.reporting.house import Picture

__all__ = ["render_report", "write_report"]

_THOUSANDS = "\N{NARROW NO-BREAK SPACE}"


def render_report(report: ReportInput) -> str:
    """Return the report as HTML; the same input gives the same text."""
    return _template().render(r=report)


def write_report(report: ReportInput, path: Path) -> Path:
    """Write the report to ``path`` and return the path."""
    path.write_text(render_report(report), encoding="utf-8", newline="\n")
    return path


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("quetzalcore.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.filters["inline"] = inline
    return environment.get_template("report.html.j2")


def number(value: float | None, decimals: int = 0) -> str:
    """Print a number with thousands set apart and a true minus sign; None is a dash."""
    if value is None or value != value:  # noqa: PLR0124 -- NaN
        return "\N{EN DASH}"
    text = f"{value:,.{decimals}f}".replace(",", _THOUSANDS)
    return text.replace("-", "\N{MINUS SIGN}")


def inline(picture: Picture) -> str:
    """Return a picture as a data URL."""
    media_type, content = picture.encode()
    return f"data:{media_type};base64," + base64.b64encode(content).decode("ascii")
