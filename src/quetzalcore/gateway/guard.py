"""What stands before a route: who may call it, how often, and how large a body it takes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import structlog
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from quetzalcore.gateway.authentication import shown_key
from quetzalcore.gateway.bodies import held_to
from quetzalcore.gateway.instance import Gateway, gateway_of
from quetzalcore.gateway.problems import TooManyRequests
from quetzalcore.gateway.request_bodies import check_values
from quetzalcore.identity.limits import Verdict
from quetzalcore.identity.model import Principal, Role
from quetzalcore.identity.store import Forbidden, NotAuthenticated

__all__ = [
    "Access",
    "Bodies",
    "authenticate",
    "charge",
    "count_guess",
    "count_request",
    "guarded",
    "same_origin",
]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_CSRF_HEADER = "x-csrf-token"
_FREE_BYTES = 16 << 10  # of a JSON body, in the price of one request
_LARGEST_SHARE = 4
_PUBLIC_BYTES = 16 << 10  # of a body from anybody at all: a name and a password


class Access(StrEnum):
    """Who may call a route."""

    PUBLIC = "public"
    USER = "user"
    ADMIN = "admin"
    JOIN = "join"  # a worker's key, or an admin


class Bodies(StrEnum):
    """How large a body a route takes; ``UPLOAD`` routes stream and hold themselves to their limit."""

    JSON = "json"
    COLUMNS = "columns"
    UPLOAD = "upload"


def guarded(access: Access, bodies: Bodies = Bodies.JSON) -> type[APIRoute]:
    """Give the class of routes that ``access`` may call with ``bodies``."""

    class Guarded(APIRoute):
        """A route behind its guard: authentication comes before anything of the body is read."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            """Put the guard before the framework's handler."""
            inner = super().get_route_handler()

            async def handle(request: Request) -> Response:
                """Let those in who may, with a body that keeps to its limits."""
                gateway = gateway_of(request)
                if access is not Access.PUBLIC:
                    await authenticate(request, gateway, access)
                if not _has_body(request):
                    return await inner(request)
                limit = _limit(bodies, gateway)
                if access is Access.PUBLIC and bodies is Bodies.JSON:  # nobody pays for these
                    limit = min(limit, _PUBLIC_BYTES)
                held = held_to(request, limit=limit, config=gateway.config)
                if (
                    bodies is not Bodies.UPLOAD
                ):  # here: the framework makes a 400 of every error in it
                    body = await held.body()
                    check_values(body)
                    await charge(held, gateway, len(body))
                return await inner(held)

            return handle

    return Guarded


async def authenticate(request: Request, gateway: Gateway, access: Access) -> Principal:
    """Say who calls, hold them to their rate limit and their role, and remember them for the route.

    Raises
    ------
    NotAuthenticated, Forbidden, TooManyRequests
    """
    try:
        who = await gateway.authenticator.authenticate(request)
    except NotAuthenticated:
        if shown_key(request) is not None:
            await count_guess(request, gateway)
        raise
    request.state.principal = who
    structlog.contextvars.bind_contextvars(tenant=who.tenant, user=who.user)
    verdict = await count_request(who, gateway)
    request.state.rate_limit = verdict.limit
    request.state.extra_headers = _rate_headers(verdict)
    if not verdict.allowed:
        raise TooManyRequests(verdict.reset_s)
    _check_role(who, access)
    if request.method not in _SAFE and shown_key(request) is None:
        _check_forgery(request, who)
    return who


async def count_request(who: Principal, gateway: Gateway, *, cost: int = 1) -> Verdict:
    """Count what a user asks for, by all keys together: anybody may make any number of keys."""
    exempt = gateway.parts.limiter.exempts(who.key_id)
    return await gateway.meter.count(who.key_id if exempt else who.user, cost=cost)


async def charge(request: Request, gateway: Gateway, size: int) -> None:
    """Count a large JSON body as the many requests that it is worth: reading it stops everybody else.

    Raises
    ------
    TooManyRequests
    """
    who: Principal | None = getattr(request.state, "principal", None)
    if who is None or size < _FREE_BYTES:
        return
    most = max(1, request.state.rate_limit // _LARGEST_SHARE)  # so that one goes through, if seldom
    verdict = await count_request(who, gateway, cost=min(most, size // _FREE_BYTES))
    if not verdict.allowed:
        raise TooManyRequests(verdict.reset_s)


async def count_guess(request: HTTPConnection, gateway: Gateway) -> None:
    """Count a try at a password, before it is checked, or a wrong key against the address that it came from.

    Raises
    ------
    TooManyRequests
        If there were too many of them.
    """
    verdict = await gateway.parts.limiter.hit("login", _address(request))
    if not verdict.allowed:
        raise TooManyRequests(verdict.reset_s)


def same_origin(request: Request | Any, public_url: str) -> bool:  # noqa: ANN401 -- or a WebSocket
    """Say whether the Origin header, if any, is the host that was asked."""
    origin = request.headers.get("origin")
    if origin is None:
        return True
    asked = {request.headers.get("host", "").lower(), urlsplit(public_url).netloc.lower()}
    return urlsplit(origin).netloc.lower() in asked - {""}


def _check_role(who: Principal, access: Access) -> None:
    joins = who.scope == "join"
    admin = who.role is Role.ADMIN and not joins
    allowed = {
        Access.USER: not joins,
        Access.ADMIN: admin,
        Access.JOIN: joins or admin,
    }[access]
    if not allowed:
        raise Forbidden(
            f"a key of scope {who.scope} and role {who.role.value} may not do this",
            hint="ask an administrator",
        )


def _check_forgery(request: Request, who: Principal) -> None:
    token = request.headers.get(_CSRF_HEADER, "")
    matches = secrets.compare_digest(token.encode(), who.csrf_token.encode())
    if not who.csrf_token or not matches or not same_origin(request, ""):
        raise Forbidden(
            "a change by session needs the session's token and origin",
            hint="send the X-CSRF-Token that the login gave",
        )


def _rate_headers(verdict: Verdict) -> list[tuple[bytes, bytes]]:
    return [
        (b"ratelimit-limit", b"%d" % verdict.limit),
        (b"ratelimit-remaining", b"%d" % verdict.remaining),
        (b"ratelimit-reset", b"%d" % round(verdict.reset_s)),
    ]


def _has_body(request: Request) -> bool:
    """Say whether there is a body to hold to its limits; where none is read, the server drops it."""
    headers = request.headers
    return request.method in _WITH_BODY and (
        "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
    )


def _limit(bodies: Bodies, gateway: Gateway) -> int:
    return {
        Bodies.JSON: gateway.config.json_bytes,
        Bodies.COLUMNS: gateway.config.columns_bytes,
        Bodies.UPLOAD: gateway.config.upload_bytes,
    }[bodies]


def _address(request: HTTPConnection) -> str:
    return request.client.host if request.client else "unknown"
