"""The bodies of routes that are thin over job kinds, as models for the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from quetzalcore.gateway.schemas import IdText, InputRef
from quetzalcore.workloads.kind import Kind

__all__ = ["body_models"]


class _Shape(StrEnum):
    """How a body carries a kind's parameters."""

    NESTED = "nested"  # in ``params``, beside files or columns
    FLAT = "flat"  # as the body itself, beside files
    BARE = "bare"  # as the body itself; the path names the file


_BODIES = (
    ("MagSurveyRequest", "mag_survey", _Shape.NESTED),
    ("WasmRequest", "wasm", _Shape.NESTED),
    ("DiscriminateRequest", "discriminate", _Shape.FLAT),
    ("TargetDrillsRequest", "target_drills", _Shape.FLAT),
    ("CostAnalysisRequest", "cost_analysis", _Shape.FLAT),
    ("IgrfRequest", "igrf", _Shape.FLAT),
    ("InspectRequest", "inspect", _Shape.BARE),
)


def body_models(kinds: Mapping[str, Kind]) -> list[type[BaseModel]]:
    """Give a model for each body; of kinds that are not there, one that takes anything."""
    return [_body(name, kinds.get(kind), shape) for name, kind, shape in _BODIES]


def _body(name: str, kind: Kind | None, shape: _Shape) -> type[BaseModel]:
    params = _AnyParams if kind is None else kind.params
    fields: dict[str, Any] = {}
    if shape is not _Shape.BARE and (kind is None or kind.inputs[1] > 0):
        fields["upload_id"] = (IdText | None, Field(default=None, description="One input."))
        fields["inputs"] = (list[InputRef], Field(default=[], max_length=64))
    if shape is not _Shape.NESTED:
        return create_model(name, __base__=params, **fields)
    fields["columns"] = (
        dict[str, list[float | str | None]] | None,
        Field(default=None, description="A table by columns, in place of a file."),
    )
    fields["params"] = (params, Field(default={}))
    return create_model(name, __config__=ConfigDict(extra="forbid"), **fields)


class _AnyParams(BaseModel):
    """Parameters of a kind that this server does not have."""
