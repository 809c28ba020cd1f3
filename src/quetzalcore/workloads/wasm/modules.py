"""Which module is meant: a file of the job, or one that the tenant installed under a name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from quetzalcore.workloads.parameters import Parameters

__all__ = [
    "MOST_MODULE_BYTES",
    "FileName",
    "ModuleName",
    "ModuleReference",
    "current_module",
    "module_file_name",
    "module_key",
    "wanted_modules",
]

MOST_MODULE_BYTES = 16 << 20
_SUFFIX = ".wasm"
FileName = Annotated[
    str,
    Field(
        min_length=1, max_length=255, pattern=r"^[^/\\\x00-\x1f]+$",
        description="The name of an input file, as it was given with the upload.",
    ),
]  # fmt: skip
ModuleName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]


class ModuleReference(Parameters):
    """A module: ``{"input": "shift.wasm"}``, ``{"name": "shift"}``, or just one of the two as text."""

    name: ModuleName | None = Field(default=None, description="Under which it was installed.")
    input: FileName | None = Field(default=None, description="The input file that holds it.")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, given: object) -> object:
        if isinstance(given, str):
            return {"input" if given.endswith(_SUFFIX) else "name": given}
        return given

    @model_validator(mode="after")
    def _one(self) -> ModuleReference:
        if (self.name is None) == (self.input is None):
            raise ValueError("give either the name of an installed module or an input file")
        return self

    @property
    def file(self) -> str:
        """Give the name of the input file that holds the module."""
        return self.input or module_file_name(self.name or "")


def module_file_name(name: str) -> str:
    """Give the name under which an installed module becomes an input file of a job."""
    return f"module-{name}{_SUFFIX}"


def wanted_modules(params: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the installed modules that canonical parameters refer to, each once."""
    return tuple(dict.fromkeys(_names(params)))


def module_key(tenant: str, name: str, version: str, sha256: str) -> str:
    """Give the key in the artifact store of one version of an installed module.

    ``version`` is an id that sorts by time, so that the last key under the name is the current one.
    """
    return f"tenants/{tenant}/modules/{name}/{version}-{sha256}"


def current_module(keys: Iterable[str]) -> tuple[str, str] | None:
    """Give key and SHA-256 of the newest version among the keys of one name, or None."""
    newest = max(keys, default=None)
    return None if newest is None else (newest, newest.rpartition("-")[2])


def _names(value: object) -> Iterator[str]:
    if not isinstance(value, Mapping):
        return
    for key, item in value.items():
        if key == "module" and isinstance(item, Mapping) and item.get("name"):
            yield str(item["name"])
        else:
            yield from _names(item)
