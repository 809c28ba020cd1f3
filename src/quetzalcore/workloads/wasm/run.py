"""A client's module over a table's columns or a grid, inside a VM."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from quetzalcore.errors import BadParameter, BadTable, Where
from quetzalcore.formats import ReadOptions, read_grid, write_geotiff, write_points_parquet
from quetzalcore.formats.dummies import drop_dummies
from quetzalcore.formats.readers import open_table
from quetzalcore.formats.rejects import Rejects
from quetzalcore.formats.table import Column, Wanted
from quetzalcore.geophysics.grid import spacing_m
from quetzalcore.geophysics.survey import Floats
from quetzalcore.workloads.json_columns import as_table
from quetzalcore.workloads.json_document import to_json
from quetzalcore.workloads.task import TaskContext
from quetzalcore.workloads.wasm.change import change
from quetzalcore.workloads.wasm.kind import WasmParams
from quetzalcore.workloads.wasm.machine import Machine, load_machine

__all__ = ["run"]

_LISTED = 12


def run(task: TaskContext) -> Mapping[str, Any]:
    """Run the module; the changed numbers are an artifact, what changed is the result."""
    params = WasmParams.model_validate(task.params)
    module = _file(params.module.file, task.inputs, "module")
    data = _data(params, task.inputs)
    task.progress("read", 0.0, data.name)
    over = _over_grid if params.over == "grid" else _over_columns
    machine = load_machine(module, params)
    told = over(params, data, machine, task)
    spent = machine.spent
    result: dict[str, Any] = to_json(
        {
            "module": {
                "file": module.name,
                "sha256": machine.source.sha256,
                "name": params.module.name,
            },
            "over": params.over,
            "data": data.name,
            "fuel_used": spent.fuel,
            "memory_mib": spent.memory_mib,
            **told,
        }
    )
    return result


def _file(name: str, inputs: Mapping[str, Path], field: str) -> Path:
    if name not in inputs:
        raise BadParameter(
            f"there is no input file {name!r}",
            hint=f"use one of the uploaded names: {', '.join(sorted(inputs)) or 'none was uploaded'}",
            where=Where(field=field),
        )
    return inputs[name]


def _data(params: WasmParams, inputs: Mapping[str, Path]) -> Path:
    if params.data is not None:
        return _file(params.data, inputs, "data")
    others = [path for name, path in inputs.items() if name != params.module.file]
    if len(others) != 1:
        raise BadParameter(
            f"there are {len(others)} files that the module could run over",
            hint="upload one beside the module, or name it as data",
            where=Where(field="data"),
        )
    return others[0]


def _over_columns(
    params: WasmParams, data: Path, machine: Machine, task: TaskContext
) -> dict[str, Any]:
    columns = _read_columns(params, data)
    task.progress("run", 0.3)
    changed = machine.over_columns(list(columns.values()))
    task.progress("write", 0.8)
    made = dict(zip(columns, changed, strict=True))
    write_points_parquet(made, task.output / "output.parquet")
    return {
        "rows": len(changed[0]),
        "changes": [change(name, columns[name], made[name]) for name in columns],
        "artifact": "output.parquet",
    }


def _over_grid(
    params: WasmParams, data: Path, machine: Machine, task: TaskContext
) -> dict[str, Any]:
    del params
    grid = read_grid(data)
    cell_m = _square_cell_m(spacing_m(grid), data)
    before = np.asarray(grid.to_numpy(), dtype=np.float64)
    task.progress("run", 0.3)
    after = machine.over_grid(before, cell_m)
    task.progress("write", 0.8)
    write_geotiff(grid.copy(data=after), task.output / "output.tif")
    return {
        "rows": before.shape[0],
        "columns": before.shape[1],
        "cell_size_m": cell_m,
        "changes": [change(str(grid.name), before.ravel(), after.ravel())],
        "artifact": "output.tif",
    }


def _square_cell_m(cell_m: tuple[float, float], data: Path) -> float:
    north, east = cell_m
    if not np.isclose(north, east, rtol=1e-3):
        raise BadParameter(
            f"the grid's cells are {north:g} m by {east:g} m",
            hint="resample it to square cells",
            where=Where(file=data.name),
        )
    return east


def _read_columns(params: WasmParams, data: Path) -> dict[str, Floats]:
    with as_table(data) as path:
        source, reader = open_table(path, ReadOptions())
        numeric = [column for column in reader.layout.columns if column.numeric]
        wanted = _wanted(params.columns, numeric, source.where)
        names = tuple(column.name for column in wanted)
        batches = list(reader.batches(Wanted(numbers=names), Rejects()))
    columns = {
        column.name: drop_dummies(
            np.concatenate([np.empty(0), *(batch.numbers[column.name] for batch in batches)]),
            column.missing,
            Counter(),
        )
        for column in wanted
    }
    if not len(columns[names[0]]):
        raise BadTable("the table has no rows", hint="give one with rows", where=source.where)
    return columns


def _wanted(asked: tuple[str, ...], numeric: list[Column], where: Where) -> list[Column]:
    by_name = {column.name: column for column in numeric}
    listed = ", ".join(list(by_name)[:_LISTED]) + (", ..." if len(by_name) > _LISTED else "")
    for name in asked:
        if name not in by_name:
            raise BadParameter(
                f"there is no numeric column {name!r}",
                hint=f"use one of {listed or 'none: the table has no numbers'}",
                where=where,
            )
    if not numeric:
        raise BadTable("no column holds numbers", hint="give a table of numbers", where=where)
    return [by_name[name] for name in asked] or numeric
