"""WebAssembly modules that a tenant keeps under names."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from quetzalcore.gateway.answers import SECURED, problems
from quetzalcore.gateway.guard import Access, guarded
from quetzalcore.gateway.instance import caller, gateway_of
from quetzalcore.gateway.modules import install, installed, module_prefix
from quetzalcore.gateway.names import missing
from quetzalcore.gateway.replies import reply
from quetzalcore.gateway.schemas import InputRef, InstallModule, ModuleList, ModuleView
from quetzalcore.gateway.submission import input_files

__all__ = ["router"]

router = APIRouter(
    prefix="/api/wasm/modules",
    tags=["wasm"],
    route_class=guarded(Access.USER),
    responses=SECURED,
)


@router.post(
    "",
    operation_id="install_module",
    status_code=201,
    response_model=ModuleView,
    responses=problems(404, 409, 422),
)
async def install_module(request: Request, body: InstallModule) -> Response:
    """Keep an uploaded module under a name; jobs that begin later use this version."""
    gateway, who = gateway_of(request), caller(request)
    (file,) = await input_files(gateway, who, [InputRef(upload_id=body.upload_id)])
    await install(gateway.parts, who.tenant, body.name, file)
    return reply({"name": body.name, "size": file.size, "sha256": file.sha256}, 201)


@router.get("", operation_id="list_modules", response_model=ModuleList)
async def list_modules(request: Request) -> Response:
    """List the tenant's modules."""
    found = await installed(gateway_of(request).parts, caller(request).tenant)
    return reply(
        {
            "items": [
                {"name": name, "size": file.size, "sha256": file.sha256}
                for name, file in sorted(found.items())
            ]
        }
    )


@router.delete(
    "/{name}",
    operation_id="delete_module",
    status_code=204,
    response_class=Response,
    responses=problems(404),
)
async def delete_module(
    request: Request, name: Annotated[str, Path(examples=["despike"])]
) -> Response:
    """Forget a module; jobs that wait for it will fail."""
    parts, tenant = gateway_of(request).parts, caller(request).tenant
    if name not in await installed(parts, tenant):
        raise missing("module")
    for key in [file.key async for file in parts.store.list(module_prefix(tenant, name))]:
        await parts.store.delete(key)
    return Response(status_code=204)
