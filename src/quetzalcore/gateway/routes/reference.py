"""The documentation for people, which is open to everybody like the description for programs."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from quetzalcore.gateway.guard import Access, guarded

__all__ = ["router"]

router = APIRouter(route_class=guarded(Access.PUBLIC))


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """Show every operation, body, answer and error; made when it is first asked for."""
    from quetzalcore.gateway.reference_page import (  # noqa: PLC0415 -- most instances never show it
        page,
        policy,
    )

    state = request.app.state
    if not hasattr(state, "reference"):
        state.reference = page(request.app.openapi())
    return HTMLResponse(state.reference, headers={"Content-Security-Policy": policy()})
