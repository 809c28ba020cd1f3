"""What the terminal sees: results on stdout, everything else on stderr, colours only on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Table

from quetzalcore.workloads.progress import Progress, silent

__all__ = ["note", "print_json", "print_table", "progress_bar", "say", "warn"]


def say(text: str) -> None:
    """Print a result line on stdout."""
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def note(text: str) -> None:
    """Print a line for the person on stderr."""
    Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)


def warn(text: str) -> None:
    """Print a warning on stderr."""
    note(f"Warning: {text}.")


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


_WHOLE = 32  # ids and dates up to this length stay on one line, to be copied


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on stdout; cells that look like numbers are right-aligned."""
    table = Table(
        title=title,
        title_justify="left",
        highlight=False,
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(_is_number(row[index]) for row in rows)
        word = all(" " not in row[index] and len(row[index]) <= _WHOLE for row in rows)
        justify: JustifyMethod = "right" if numeric else "left"
        table.add_column(column, justify=justify, overflow="fold", no_wrap=bool(rows) and word)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


@contextmanager
def progress_bar(*, wanted: bool) -> Iterator[Progress]:
    """Give a progress callback: a bar on a terminal, silence elsewhere."""
    console = Console(stderr=True)
    if not (wanted and console.is_terminal):
        yield silent
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console) as bars:
        running: dict[str, Any] = {}

        def advance(stage: str, fraction: float, message: str = "") -> None:
            text = f"{stage}: {message}" if message else stage
            if stage not in running:
                for task in running.values():
                    bars.update(task, completed=100)
                running[stage] = bars.add_task(text, total=100)
            bars.update(running[stage], completed=100 * fraction, description=text)

        yield advance
        for task in running.values():
            bars.update(task, completed=100)


def _is_number(text: str) -> bool:
    return text.replace(",", "").replace(".", "").replace("-", "").replace(" ", "").isdigit()
