"""Bodies that are known beforehand, read from the file that a simulation writes beside its survey."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from quetzalcore.errors import BadTable, UnreadableInput, Where
from quetzalcore.geophysics.simulation import TrueBody

__all__ = ["read_known_bodies"]

_MOST_BODIES = 10_000


class _Body(BaseModel):
    """One body of the file; ``TrueBody`` says what each number is."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: str = Field(max_length=200)
    kind: str = Field(max_length=200)
    easting_m: float
    northing_m: float
    strike_deg: float
    length_m: float
    ground_m: float
    depth_to_top_m: float
    depth_to_centre_m: float
    susceptibility_si: float
    magnetization_am: tuple[float, float, float]
    source_class: str = Field(max_length=200)
    amplitude_nt: float


_FILE = TypeAdapter(list[_Body])


def read_known_bodies(path: Path) -> tuple[TrueBody, ...]:
    """Read ``...-bodies.json``.

    Raises
    ------
    UnreadableInput
        If it is not JSON.
    BadTable
        Naming the first body and field that is not as a simulation writes it.
    """
    place = Where(file=path.name)
    try:
        bodies = _FILE.validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            raise UnreadableInput(
                "it is not JSON",
                hint="upload the bodies as quetzal survey simulate writes them",
                where=place,
            ) from None
        at = ".".join(str(part) for part in first["loc"])
        raise BadTable(
            f"{at or 'the file'}: {first['msg']}",
            hint="write a list of bodies as quetzal survey simulate does",
            where=place,
        ) from None
    if len(bodies) > _MOST_BODIES:
        raise BadTable(
            f"it names {len(bodies):,} bodies", hint=f"name at most {_MOST_BODIES:,}", where=place
        )
    return tuple(
        TrueBody(**{**body.model_dump(), "magnetization_am": np.array(body.magnetization_am)})
        for body in bodies
    )
