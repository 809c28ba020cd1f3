"""What the kind ``wasm`` takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from quetzalcore.jobs.model import Resources
from quetzalcore.workloads.kind import Kind
from quetzalcore.workloads.parameters import Parameters
from quetzalcore.workloads.wasm.modules import FileName, ModuleReference

__all__ = ["KIND", "ModuleParams", "WasmParams"]

ColumnName = Annotated[str, Field(min_length=1, max_length=200)]


class ModuleParams(Parameters):
    """A module, the numbers it is configured with, and what it may use."""

    module: ModuleReference
    parameters: tuple[float, ...] = Field(
        default=(), max_length=1000, description="Handed to the module's configure function."
    )
    fuel: int = Field(
        default=20_000_000_000, ge=1, le=10**14,
        description="Instructions, about, that it may execute: 1e9 take roughly a second.",
    )  # fmt: skip
    memory_mib: int = Field(default=256, ge=1, le=4096, description="Its linear memory's limit.")


class WasmParams(ModuleParams):
    """A module over chosen columns of a table, or over a grid."""

    over: Literal["columns", "grid"] = "columns"
    data: FileName | None = Field(default=None, description="Default: the other input file.")
    columns: tuple[ColumnName, ...] = Field(
        default=(), max_length=100, description="Of a table; default: every numeric column."
    )

    @model_validator(mode="after")
    def _columns_of_a_table(self) -> WasmParams:
        if self.over == "grid" and self.columns:
            raise ValueError("leave columns out: a grid has none")
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("name each column once")
        return self


def _resources(params: Mapping[str, Any], sizes: Mapping[str, int]) -> Resources:
    """Ask for the module's memory, and for the data on our side of the wall: read, changed, written."""
    input_mib = sum(sizes.values()) >> 20
    data_mib = min(8 * input_mib, 16_384)
    return Resources(
        cpus=1.0,
        memory_mib=512 + int(params["memory_mib"]) + data_mib,
        scratch_mib=256 + min(4 * input_mib, 16_384),
    )


KIND = Kind(
    name="wasm",
    version="1",
    title="Run a WebAssembly module over columns or a grid",
    params=WasmParams,
    run="quetzalcore.workloads.wasm.run:run",
    inputs=(1, 3),
    tier="numeric",
    resources=_resources,
    wall_s=900.0,
    waits=True,
    example={"module": {"input": "clip.wasm"}, "columns": ["tmi"], "parameters": [500]},
)
