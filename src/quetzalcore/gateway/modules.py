"""Where a tenant's WebAssembly modules lie, and how a job comes by those that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quetzalcore.errors import BadParameter, Where
from quetzalcore.gateway.parts import GatewayParts
from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.ledger import QuotaExceeded
from quetzalcore.jobs.model import InputFile
from quetzalcore.workloads.wasm.modules import (
    MOST_MODULE_BYTES,
    current_module,
    module_file_name,
    module_key,
    wanted_modules,
)

__all__ = ["install", "installed", "module_inputs", "module_prefix"]

_MOST_VERSIONS = 500  # of all modules of a tenant together: 8 GiB


async def install(parts: GatewayParts, tenant: str, name: str, file: InputFile) -> None:
    """Copy an upload to a new version of a module; older versions stay for jobs that wait for them.

    Raises
    ------
    BadParameter
        If it is too large for a module.
    QuotaExceeded
        If the tenant keeps as many versions of modules as it may.
    """
    if file.size > MOST_MODULE_BYTES:
        raise BadParameter(
            f"the module has {file.size:,} bytes",
            hint=f"give at most {MOST_MODULE_BYTES:,}: build it for size, without debug sections",
            where=Where(field="upload_id"),
        )
    if len([each async for each in parts.store.list(module_prefix(tenant))]) >= _MOST_VERSIONS:
        raise QuotaExceeded(
            f"{tenant} keeps {_MOST_VERSIONS} versions of modules",
            hint="delete modules that are not used any more: their old versions go with them",
        )
    key = module_key(tenant, name, new_id(parts.clock()), file.sha256)
    await parts.store.put(key, parts.store.get(file.key))


async def installed(parts: GatewayParts, tenant: str) -> dict[str, InputFile]:
    """Give the current version of every module of a tenant, by name, as jobs take it."""
    sizes: dict[str, dict[str, int]] = {}
    async for file in parts.store.list(module_prefix(tenant)):
        name = file.key.split("/")[-2]
        sizes.setdefault(name, {})[file.key] = file.size
    found: dict[str, InputFile] = {}
    for name, versions in sizes.items():
        current = current_module(versions)
        if current is not None:
            key, sha256 = current
            found[name] = InputFile(
                name=module_file_name(name), key=key, size=versions[key], sha256=sha256
            )
    return found


async def module_inputs(
    parts: GatewayParts, tenant: str, params: Mapping[str, Any]
) -> tuple[InputFile, ...]:
    """Find the installed modules that a job's parameters name.

    Raises
    ------
    BadParameter
        Naming the modules that there are.
    """
    wanted = wanted_modules(params)
    if not wanted:
        return ()
    found = await installed(parts, tenant)
    for name in wanted:
        if name not in found:
            there = ", ".join(sorted(found)) or "none yet"
            raise BadParameter(
                f"no module {name!r} is installed",
                hint=f"install it at /api/wasm/modules; there are: {there}",
                where=Where(field="module"),
            )
    return tuple(found[name] for name in wanted)


def module_prefix(tenant: str, name: str = "") -> str:
    """Give the prefix of a tenant's modules, or of one module's versions."""
    return f"tenants/{tenant}/modules" + (f"/{name}" if name else "")
