"""One frozen settings object: defaults, then ``quetzal.toml``, then the environment.

Only ``cli/`` reads the environment and the file; this module is given both as plain mappings.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quetzalcore.errors import BadParameter, Where

__all__ = ["Settings", "load_settings", "validated"]

M = TypeVar("M", bound=BaseModel)

PREFIX = "QUETZAL_"


class Settings(BaseModel):
    """What an operator may set; every field has the same name in ``quetzal.toml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threads: int | None = Field(
        default=None, ge=1, description="CPU threads for kernels; default: the CPUs we may run on."
    )
    rates_file: Path | None = Field(
        default=None, description="Cost rates to use instead of the built-in ones (TOML)."
    )
    priors_file: Path | None = Field(
        default=None, description="Petrophysical priors instead of the built-in ones (TOML)."
    )


def load_settings(
    file_values: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[Settings, tuple[str, ...]]:
    """Merge the two sources over the defaults; return the settings and warnings.

    Unknown keys of the file are refused; unknown ``QUETZAL_`` variables are only warned of, because
    container platforms inject their own.

    Raises
    ------
    BadParameter
        If a value is out of range or a key of the file is unknown.
    """
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX)
    }
    known = set(Settings.model_fields)
    warnings = tuple(
        f"the environment variable {PREFIX}{name.upper()} is not a setting and is ignored"
        for name in sorted(set(given) - known)
    )
    merged = {**file_values, **{name: given[name] for name in set(given) & known}}
    return validated(Settings, merged, source="quetzal.toml or the environment"), warnings


def validated(model: type[M], values: Mapping[str, Any], *, source: str) -> M:
    """Build ``model`` from a mapping, or say in one sentence which key is wrong.

    Raises
    ------
    BadParameter
        Naming the first offending key, what was given and what is allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            detail, hint = f"there is no key {key}", "remove it or correct its spelling"
        else:
            detail = f"{key} is {first['input']!r}"
            hint = first["msg"][0].lower() + first["msg"][1:]
        raise BadParameter(detail, hint=hint, where=Where(file=source)) from None
