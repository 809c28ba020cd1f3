"""How each kind of request is passed on: reads, changes, uploads, event streams, sockets, and those that cannot be."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from quetzalcore.ops.balancer.options import BalancerOptions
from quetzalcore.ops.balancer.text import block

__all__ = ["locations"]

_STREAM_S = 300  # a stream says something every 15 s
_ANSWER_S = 90  # an answer may wait 60 s for its job


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    """An answer of the balancer itself, in the words of the gateway's refusals (RFC 9457)."""

    name: str
    causes: str
    status: int
    title: str
    detail: str
    code: str
    hint: str
    retry_s: int = 0


_REFUSALS = (
    _Refusal(
        name="away",
        causes="502 503 504",
        status=503,
        title="Not available now",
        detail="no instance of the gateway answers",
        code="unavailable",
        hint="try again in a moment",
        retry_s=2,
    ),
    _Refusal(
        name="too_many",
        causes="429",
        status=429,
        title="Too many requests",
        detail="too many requests came from this address",
        code="too_many_requests",
        hint="wait a second before the next request",
        retry_s=1,
    ),
    _Refusal(
        name="too_large",
        causes="413",
        status=413,
        title="Too large",
        detail="the body is larger than is taken here",
        code="too_large",
        hint="send large files to /api/uploads",
    ),
)


def locations(options: BalancerOptions, *, served: bool) -> Iterable[str]:
    """Give the locations of a server; without instances every request is told so."""
    for refusal in _REFUSALS:
        yield f"error_page {refusal.causes} = @{refusal.name};"
    if served:
        yield from _passed_on(options)
    else:
        yield from block("location /", ["return 503;"])
    for refusal in _REFUSALS:
        yield from block(f"location @{refusal.name}", _refuse(refusal, options))


def _passed_on(options: BalancerOptions) -> Iterable[str]:
    limits = options.limits
    yield from _passing(options)
    whole = "proxy_pass http://gateway;"
    yield "error_page 418 = @repeatable;"
    yield "recursive_error_pages on;"
    yield from block("location /", ["if ($repeatable) { return 418; }", whole])
    yield from block(
        "location @repeatable",
        ["proxy_next_upstream error timeout http_502 non_idempotent;", whole],
    )
    upload = [
        "proxy_request_buffering off;",
        f"client_max_body_size {limits.upload_mib}m;",
        "proxy_read_timeout 300s;",
        whole,
    ]
    for path in ("/api/uploads", "/api/mining/mag-survey", "/api/blobs/"):
        yield from block(f"location ^~ {path}", upload)
    stream = ["proxy_buffering off;", f"proxy_read_timeout {_STREAM_S}s;", whole]
    yield from block("location ~ ^/api/jobs/[^/]+/events$", stream)
    headers = _headers(connection="$upgraded", upgrade="$http_upgrade")
    yield from block("location = /ws", [*headers, *stream])
    inside = [*(f"allow {network};" for network in options.metrics_from), "deny all;"]
    yield from block("location = /metrics", [*inside, whole])


def _passing(options: BalancerOptions) -> Iterable[str]:
    """Give what holds for every request that is passed on."""
    yield f"limit_req zone=requests burst={options.limits.burst} nodelay;"
    yield f"limit_conn connections {options.limits.connections};"
    yield "proxy_http_version 1.1;"
    yield "proxy_connect_timeout 2s;"
    yield "proxy_send_timeout 60s;"
    yield f"proxy_read_timeout {_ANSWER_S}s;"
    yield "proxy_buffer_size 16k;"
    yield "proxy_buffers 8 16k;"
    yield "proxy_max_temp_file_size 0;"
    yield "proxy_socket_keepalive on;"
    # Not http_503: an instance says so when a tenant has its share, and that makes no instance sick.
    yield "proxy_next_upstream error timeout http_502;"
    yield "proxy_next_upstream_tries 3;"
    yield "proxy_next_upstream_timeout 10s;"
    yield from _headers()


def _headers(*, connection: str = "", upgrade: str = "") -> Iterable[str]:
    """Give what instances are told; whatever a client says of addresses is overwritten."""
    told = {
        "Host": "$http_host",
        "Connection": connection,
        "Upgrade": upgrade,
        "X-Forwarded-For": "$remote_addr",
        "X-Forwarded-Proto": "$scheme",
        "X-Forwarded-Host": "",
        "X-Real-IP": "",
        "Forwarded": "",
        "X-Request-ID": "$told_id",
        "X-Balancer-Exempt": "",
    }
    for name, value in told.items():
        yield f'proxy_set_header {name} "{value}";'


def _refuse(refusal: _Refusal, options: BalancerOptions) -> Iterable[str]:
    document = {
        "type": f"urn:quetzalcore:problem:{refusal.code}",
        "title": refusal.title,
        "status": refusal.status,
        "detail": refusal.detail,
        "code": refusal.code,
        "hint": refusal.hint,
        "where": {},
        "instance": "",
        "request_id": "$told_id",
    }
    yield "recursive_error_pages off;"
    yield "default_type application/problem+json;"
    if refusal.retry_s:
        yield f'add_header Retry-After "{refusal.retry_s}" always;'
    yield 'add_header X-Request-ID "$told_id" always;'
    yield 'add_header Cache-Control "no-store" always;'
    if (
        options.tls is not None and options.tls.hsts_s
    ):  # what a server adds ends where one adds itself
        yield f'add_header Strict-Transport-Security "max-age={options.tls.hsts_s}" always;'
    yield f"return {refusal.status} '{json.dumps(document)}';"
