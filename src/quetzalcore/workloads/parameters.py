"""Parameters of jobs: checked by a kind's model, and brought into one canonical form."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from quetzalcore.errors import BadParameter, Where
from quetzalcore.jobs.nesting import MOST_LEVELS, is_too_deep
from quetzalcore.workloads.kind import Kind

__all__ = ["Parameters", "canonical_params", "with_assumed"]

_SHOWN = 60  # characters of a wrong value; it may be a megabyte
_UNKNOWN = "extra_forbidden"
_MISSING = "missing"


class Parameters(BaseModel):
    """What every kind's parameters inherit: unknown keys, NaN and infinities are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True
    )


def canonical_params(kind: Kind, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters and give them as JSON values with every default filled in.

    What means the same comes out the same, so that it can be part of a reuse key.

    Raises
    ------
    BadParameter
        Naming the field that is wrong, what was given and what is allowed.
    """
    if is_too_deep(given):
        raise BadParameter(
            "lists and objects are nested too deep", hint=f"stay below {MOST_LEVELS} levels"
        )
    try:
        return kind.params.model_validate(given).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    raise BadParameter(
        _detail(str(first["type"]), first.get("input")),
        hint=_hint(str(first["type"]), str(first["msg"]), kind),
        where=Where(field=field or None),
    )


def with_assumed(
    kind: Kind, params: Mapping[str, Any], *, today: dt.date
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Fill canonical parameters up with what the kind assumes today; name what was filled in."""
    assumed = kind.assume(params, today)
    whole = dict(params)
    for path, value in assumed.items():
        whole = _replaced(whole, path, value)
    return whole, tuple(assumed)


def _replaced(params: Mapping[str, Any], path: str, value: object) -> dict[str, Any]:
    head, _, rest = path.partition(".")
    return {**params, head: _replaced(params[head], rest, value) if rest else value}


def _detail(problem: str, value: object) -> str:
    said = {
        _UNKNOWN: "there is no such parameter",
        _MISSING: "a value is missing",
        "value_error": "the parameters do not go together",
    }
    return said.get(problem, f"the value is {_short(value)}")


def _hint(problem: str, message: str, kind: Kind) -> str:
    if problem == _UNKNOWN:
        return f"remove it, or use one of {', '.join(sorted(kind.params.model_fields))}"
    if problem == _MISSING:
        return "give it" + (f", for example {json.dumps(kind.example)}" if kind.example else "")
    plain = message.removeprefix("Value error, ").rstrip(".")
    return plain[:1].lower() + plain[1:]


def _short(value: object) -> str:
    if isinstance(value, list | tuple | dict):
        return f"a {type(value).__name__} of {len(value)}"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
