"""The outermost layer of every request: its id, its log line, its headers, and the last net for errors."""

from __future__ import annotations

import re
import time
from functools import lru_cache

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quetzalcore.errors import QuetzalError
from quetzalcore.gateway.hot import hot_path
from quetzalcore.gateway.instance import Gateway
from quetzalcore.gateway.problems import BadRequest, Problem, problem_of, problem_of_status

__all__ = ["Edge"]

_log = structlog.get_logger("quetzalcore.gateway")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_READS = frozenset({"GET", "HEAD"})
_FIRST_ERROR = 400
_SLOW_S = 1.0
_NO_ANSWER = 499  # the client left first; nginx's number
_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_STRICT_POLICY = b"default-src 'none'; frame-ancestors 'none'"


class Edge:
    """ASGI middleware; nothing gets out of it without a request id, and no traceback at all."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await _Exchange(self._app, self._gateway, scope).run(receive, send)


class _Exchange:
    """One request and its answer."""

    def __init__(self, app: ASGIApp, gateway: Gateway, scope: Scope) -> None:
        self._app = app
        self._gateway = gateway
        self._scope = scope
        self._headers = Headers(scope=scope)
        self._status = _NO_ANSWER
        self._started = False
        given = self._headers.get("x-request-id", "")
        self._id = (
            given
            if given and _REQUEST_ID.fullmatch(given)
            else f"{gateway.run_id}-{next(gateway.numbers)}"
        )
        scope.setdefault("state", {})["request_id"] = self._id

    async def run(self, receive: Receive, send: Send) -> None:
        metrics = self._gateway.metrics
        began = time.perf_counter()
        metrics.open_requests += 1
        structlog.contextvars.bind_contextvars(request_id=self._id)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._begin(message)
            await send(message)

        try:
            self._check_host()
            await (hot_path(self._scope) or self._app)(self._scope, receive, answer)
        except ClientDisconnect:
            pass
        except QuetzalError as error:
            await self._say(problem_of(error), receive, answer)
        except Exception:
            _log.exception("gateway.failed", route=self._route())  # a path may hold a signed link
            if self._started:
                raise  # the server cuts the connection, so that nobody takes a part for the whole
            problem = problem_of_status(500, "the gateway met an error of its own")
            await self._say(problem, receive, answer)
        finally:
            metrics.open_requests -= 1
            self._account(time.perf_counter() - began)

    async def _say(self, problem: Problem, receive: Receive, send: Send) -> None:
        if self._started:
            raise ClientDisconnect
        response = problem.response(instance=self._scope["path"], request_id=self._id)
        await response(self._scope, receive, send)

    def _begin(self, message: Message) -> None:
        self._started = True
        self._status = message["status"]
        headers = MutableHeaders(raw=list(message.get("headers", ())))
        headers.raw.append((b"x-request-id", self._id.encode()))
        headers.raw.append((b"x-served-by", self._gateway.run_id.encode()))
        headers.raw.extend(_SECURITY)
        if "content-security-policy" not in headers:
            headers.raw.append((b"content-security-policy", _STRICT_POLICY))
        if "cache-control" not in headers:
            headers.raw.append((b"cache-control", b"no-store"))
        headers.raw.extend(self._scope["state"].get("extra_headers", ()))
        if self._gateway.draining:
            headers["connection"] = "close"
        message["headers"] = headers.raw

    def _check_host(self) -> None:
        host = self._headers.get("host")
        if host is None:
            return
        if not _is_served(host, self._gateway.config.allowed_hosts):
            raise BadRequest("the Host header is not one that is served here", hint="use its name")

    def _account(self, duration_s: float) -> None:
        scope = self._scope
        state = scope["state"]
        route = self._route()
        own_s = None if "stream" in state else duration_s - state.get("waited_s", 0.0)
        self._gateway.metrics.request(scope["method"], route, self._status, own_s)
        if not self._worth_a_line(duration_s):
            return
        who = state.get("principal")
        _log.info(
            "request",
            method=scope["method"],
            route=route,
            status=self._status,
            ms=round(1000 * duration_s, 2),
            tenant=who.tenant if who else None,
            user=who.user if who else None,
            job_id=state.get("job_id") or scope.get("path_params", {}).get("job_id"),
        )

    def _route(self) -> str:
        return getattr(self._scope.get("route"), "path", "none")

    def _worth_a_line(self, duration_s: float) -> bool:
        """Leave quick reads that went well to the metrics: they come by the thousand."""
        return (
            self._gateway.config.log_reads
            or self._scope["method"] not in _READS
            or self._status >= _FIRST_ERROR
            or duration_s > _SLOW_S
        )


@lru_cache(maxsize=64)  # nearly all ask for the same few
def _is_served(host: str, allowed: tuple[str, ...]) -> bool:
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    return bool(_HOST.fullmatch(host)) and (not allowed or name.lower() in allowed)
