"""How workers and instances scale: status, an operator's wishes, live changes of the policies."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from quetzalcore.autoscaler.control import Autoscaler
from quetzalcore.autoscaler.model import Target
from quetzalcore.gateway.answers import SECURED, problems
from quetzalcore.gateway.guard import Access, guarded
from quetzalcore.gateway.instance import caller, gateway_of
from quetzalcore.gateway.replies import reply
from quetzalcore.gateway.scaling_schemas import (
    ScaleAnswer,
    ScaleRequest,
    ScalingChanges,
    ScalingChangesView,
    ScalingStatus,
)

__all__ = ["router"]

router = APIRouter(
    prefix="/api/autoscaler",
    tags=["autoscaler"],
    route_class=guarded(Access.ADMIN),
    responses=SECURED,
)


@router.get("/status", operation_id="scaling_status", response_model=ScalingStatus)
async def scaling_status(request: Request) -> Response:
    """Say how workers and instances scale: now, bounds, what comes next and why; for administrators."""
    return reply(await _autoscaler(request).status())


@router.post(
    "/scale",
    operation_id="scale",
    status_code=202,
    response_model=ScaleAnswer,
    responses=problems(409, 422),
)
async def scale(request: Request, body: ScaleRequest) -> Response:
    """Ask for more or fewer workers or instances; it wins over the policy until the next cooldown ends."""
    target = Target(body.target)
    count = await _autoscaler(request).scale(target, body.action, body.count)
    await _audit(request, f"{target} to {count}")
    return reply({"target": str(target), "count": count}, status=202)


@router.patch(
    "/policy/{target}",
    operation_id="change_scaling",
    response_model=ScalingChangesView,
    responses=problems(409, 422),
)
async def change_scaling(
    request: Request,
    target: Annotated[Literal["workers", "instances"], Path()],
    body: ScalingChanges,
) -> Response:
    """Change a set's policy while all runs; restarts keep the changes, a null takes one back."""
    changes = await _autoscaler(request).change(Target(target), body.changes)
    await _audit(request, f"policy of {target}: {', '.join(sorted(body.changes))}")
    return reply({"target": target, "changes": changes})


def _autoscaler(request: Request) -> Autoscaler:
    parts = gateway_of(request).parts
    return Autoscaler(parts.scaling, parts.clock, by=caller(request).user)


async def _audit(request: Request, what: str) -> None:
    parts = gateway_of(request).parts
    await parts.identity.audit(caller(request), "scale", what, now=parts.clock())
