"""An inspection inside a VM: the only place where an upload is opened before it is run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quetzalcore import formats
from quetzalcore.errors import BadParameter
from quetzalcore.workloads.json_columns import as_table
from quetzalcore.workloads.json_document import to_json
from quetzalcore.workloads.mag_survey.config import InputConfig
from quetzalcore.workloads.mag_survey.reading import read_options
from quetzalcore.workloads.task import TaskContext

__all__ = ["run"]

_DEFINITION = ".dfn"  # ASEG-GDF2's, which stands beside the table


def run(task: TaskContext) -> Mapping[str, Any]:
    """Give what ``quetzal survey inspect --json`` gives; ``path`` is the name that the file was given."""
    name, path = _table(task.inputs)
    options = read_options(InputConfig(**task.params))
    task.progress("inspect", 0.0, name)
    with as_table(path) as table:
        found = formats.inspect(table, options=options)
    task.progress("inspect", 1.0, name)
    result: dict[str, Any] = to_json({**found.to_json(), "path": name, "size": path.stat().st_size})
    return result


def _table(inputs: Mapping[str, Path]) -> tuple[str, Path]:
    tables = [item for item in inputs.items() if item[1].suffix.lower() != _DEFINITION]
    if len(inputs) == 1:
        return next(iter(inputs.items()))
    if len(tables) != 1:
        raise BadParameter(
            f"there are {len(tables)} tables to inspect ({', '.join(sorted(inputs))})",
            hint="give one file, and beside it at most an ASEG-GDF2 definition (.dfn)",
        )
    return tables[0]
