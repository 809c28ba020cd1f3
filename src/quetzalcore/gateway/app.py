"""The gateway's application: routes, the layers around them, and its documentation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute

from quetzalcore.errors import QuetzalError
from quetzalcore.gateway.documentation import describe
from quetzalcore.gateway.edge import Edge
from quetzalcore.gateway.instance import Gateway
from quetzalcore.gateway.parts import GatewayParts
from quetzalcore.gateway.problems import Problem, problem_of, problem_of_status
from quetzalcore.gateway.routes import (
    accounts,
    artifacts,
    autoscaler,
    cluster,
    events,
    jobs,
    mining,
    reference,
    system,
    uploads,
    wasm_modules,
)
from quetzalcore.gateway.sockets import serve_socket
from quetzalcore.gateway.validation import problem_of_validation
from quetzalcore.workloads.catalog import catalog
from quetzalcore.workloads.kind import Kind

__all__ = ["create_app", "error_handlers", "openapi_document"]

Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]

# The most often read first: routes are tried in order.
_ROUTERS: tuple[APIRouter, ...] = (
    jobs.router,
    events.router,
    artifacts.router,
    uploads.router,
    uploads.inspections,
    mining.survey,
    mining.flat,
    wasm_modules.router,
    system.public,
    system.admins,
    cluster.router,
    autoscaler.router,
    cluster.join,
    accounts.login,
    accounts.own,
    accounts.admins,
    artifacts.blobs,
    reference.router,
)


def create_app(parts: GatewayParts) -> FastAPI:
    """Build the application of one instance; it holds no truth, so any number may serve together."""
    gateway = Gateway(parts)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        """End what the instance began."""
        yield
        await gateway.close()

    app = _bare(parts.version, parts.kinds, lifespan=lifespan)
    app.state.gateway = gateway
    app.add_middleware(Edge, gateway=gateway)
    return app


def openapi_document(kinds: Mapping[str, Kind] | None = None) -> dict[str, Any]:
    """Give the API's description without starting anything, for generators of clients."""
    from quetzalcore import __version__  # noqa: PLC0415 -- not needed otherwise

    return _bare(__version__, catalog() if kinds is None else kinds).openapi()


def error_handlers() -> dict[int | type[Exception], Handler]:
    """Give the handlers that make every error a problem document."""
    return {
        QuetzalError: _on_error,
        RequestValidationError: _on_invalid,
        HTTPException: _on_status,
    }


def _bare(version: str, kinds: Mapping[str, Kind], **options: Any) -> FastAPI:  # noqa: ANN401 -- FastAPI's
    app = FastAPI(
        title="QuetzalCore",
        version=version,
        redirect_slashes=False,
        docs_url=None,  # ours loads nothing from elsewhere
        redoc_url=None,
        exception_handlers=error_handlers(),
        **options,
    )
    for router in _ROUTERS:
        app.include_router(router)
    app.router.routes.append(WebSocketRoute("/ws", serve_socket))
    describe(app, kinds)
    return app


async def _on_error(request: Request, error: QuetzalError) -> Response:
    return _say(request, problem_of(error))


async def _on_invalid(request: Request, error: RequestValidationError) -> Response:
    return _say(request, problem_of_validation(error.errors()))


async def _on_status(request: Request, error: HTTPException) -> Response:
    return _say(request, problem_of_status(error.status_code, error.detail, error.headers))


def _say(request: Request, problem: Problem) -> Response:
    request_id = request.state.request_id
    return problem.response(instance=request.scope["path"], request_id=request_id)
