"""The text of nginx's configuration, from the instances that live; nothing is read and nothing is run here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from quetzalcore.ops.balancer.locations import locations
from quetzalcore.ops.balancer.options import BalancerOptions, Tls, Upstream
from quetzalcore.ops.balancer.text import Lines, block, text_of

__all__ = ["generation", "nginx_config"]

_HTTP2_ON = (1, 25, 1)  # before, http2 was a word of listen
_UNNAMED = "@configuration@@"
_LOG = (
    "log_format told escape=json '{"
    '"at":"$time_iso8601","request_id":"$told_id","client":"$remote_addr","method":"$request_method",'
    '"path":"$told_path","protocol":"$server_protocol","status":$status,"bytes":$bytes_sent,'
    '"request_s":$request_time,"upstream_s":"$upstream_response_time",'
    '"upstream_connect_s":"$upstream_connect_time","upstream":"$upstream_addr",'
    '"upstream_status":"$upstream_status"'
    "}';"
)


def nginx_config(options: BalancerOptions, upstreams: Sequence[Upstream]) -> str:
    """Give the whole configuration; without instances, one that says so to every request."""
    text = text_of(_main(options, sorted(set(upstreams))))
    return text.replace(_UNNAMED, hashlib.sha256(text.encode()).hexdigest()[: len(_UNNAMED)])


def generation(config: str) -> str:
    """Give the name by which nginx says that it serves this configuration."""
    return config.partition('return 200 "')[2].partition('"')[0]


def _main(options: BalancerOptions, upstreams: Sequence[Upstream]) -> Lines:
    folder = options.folder
    return (
        "# Written by quetzal; changes are overwritten.",
        *([f"user {options.user};"] if options.user else []),
        "daemon off;",
        "worker_processes auto;",
        f"worker_rlimit_nofile {2 * options.connections};",
        f"worker_shutdown_timeout {options.shutdown_s}s;",
        f"pid {folder}/nginx.pid;",
        f"error_log {folder}/error.log warn;",
        *block("events", [f"worker_connections {options.connections};"]),
        *block("http", _http(options, upstreams)),
    )


def _http(options: BalancerOptions, upstreams: Sequence[Upstream]) -> Iterable[str]:
    yield from _basics(options)
    yield from _maps(options)
    if upstreams:
        yield from block("upstream gateway", _upstream(upstreams))
    yield from block("server", _control(options))
    served = (*_parting(options), *locations(options, served=bool(upstreams)))
    plain = [f"listen {each};" for each in options.listen]
    inside = [f"listen {each};" for each in options.inside]
    if options.tls is None:
        yield from block("server", [*plain, *inside, *_acme(options), *served])
        return
    if plain and options.tls.redirect:
        yield from block("server", [*plain, *_acme(options), *_redirect(options.tls)])
        plain = []
    if plain or inside:
        yield from block("server", [*plain, *inside, *_acme(options), *served])
    yield from block("server", [*_tls(options.tls, options.version), *served])


def _basics(options: BalancerOptions) -> Iterable[str]:
    folder, limits = options.folder, options.limits
    for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
        yield f"{kind}_temp_path {folder}/temp/{kind};"
    yield _LOG
    yield f"access_log {folder}/access.log told buffer=32k flush=1s;"
    yield "server_tokens off;"
    yield "default_type application/octet-stream;"
    yield f"client_header_timeout {limits.header_s}s;"
    yield f"client_body_timeout {limits.body_s}s;"
    yield "send_timeout 60s;"
    yield "reset_timedout_connection on;"
    yield "large_client_header_buffers 4 16k;"
    yield "map_hash_bucket_size 256;"  # the secret of 64 characters is a key, and 64 bytes are too few
    yield f"client_max_body_size {limits.body_mib}m;"
    yield "keepalive_timeout 65s;"
    yield "keepalive_requests 100000;"
    if not options.parts_abruptly:
        # An idle connection is not closed while a client's next request may be on its way.
        yield "keepalive_min_timeout 1s;"
    yield "limit_req_zone $limited zone=requests:10m " + f"rate={limits.requests_per_s}r/s;"
    yield "limit_conn_zone $limited zone=connections:10m;"
    yield "limit_req_status 429;"
    yield "limit_conn_status 429;"


def _maps(options: BalancerOptions) -> Iterable[str]:
    secret = options.limits.exempt_secret
    # An empty key is not limited.
    exempt = [f'"{secret}" "";'] if secret else []
    yield from block(
        "map $http_x_balancer_exempt $limited", ["default $binary_remote_addr;", *exempt]
    )
    yield from block(
        "map $http_x_request_id $told_id",
        ["default $request_id;", '"~^[A-Za-z0-9._-]{1,64}$" $http_x_request_id;'],
    )
    # The path of a signed link is its secret.
    yield from block("map $uri $told_path", ["default $uri;", '"~^/api/blobs/" "/api/blobs/...";'])
    # A change that names itself may be sent again: the ledger knows the name.
    yield from block(
        'map "$request_method:$http_idempotency_key" $repeatable', ["default 0;", '"~^POST:." 1;']
    )
    yield from block("map $http_upgrade $upgraded", ["default upgrade;", '"" "";'])


def _parting(options: BalancerOptions) -> Iterable[str]:
    """Say ``Connection: close`` while there is the file that announces a change.

    A reload closes idle kept connections, also one whose client's next request is on its way. Clients
    that were told before have none.
    """
    if options.parts_abruptly:
        yield 'set $parting "";'
        yield from block(f"if (-f {options.parting})", ["set $parting close;"])
        yield from block("if ($http_upgrade)", ['set $parting "";'])
        yield "add_header Connection $parting always;"


def _upstream(upstreams: Sequence[Upstream]) -> Iterable[str]:
    yield "zone gateway 256k;"
    yield "least_conn;"
    for each in upstreams:
        yield f"server {each.address} max_fails=3 fail_timeout=5s;"
    yield "keepalive 64;"
    yield "keepalive_requests 100000;"
    yield "keepalive_timeout 60s;"  # instances wait for 75 s


def _control(options: BalancerOptions) -> Iterable[str]:
    yield f"listen unix:{options.control};"
    yield "access_log off;"
    yield from block("location = /generation", [f'return 200 "{_UNNAMED}";'])
    yield from block("location = /status", ["stub_status;"])


def _acme(options: BalancerOptions) -> Iterable[str]:
    if options.acme_folder is not None:
        yield from block(
            "location ^~ /.well-known/acme-challenge/",
            [f"root {options.acme_folder};", "default_type text/plain;"],
        )


def _redirect(tls: Tls) -> Iterable[str]:
    port = tls.listen[0].rpartition(":")[2]
    where = "$host" if port == "443" else f"$host:{port}"
    yield from block("location /", [f"return 308 https://{where}$request_uri;"])


def _tls(tls: Tls, version: tuple[int, ...]) -> Iterable[str]:
    word = "" if version >= _HTTP2_ON else " http2"
    for each in tls.listen:
        yield f"listen {each} ssl{word};"
    if not word:
        yield "http2 on;"
    yield f"ssl_certificate {tls.certificate};"
    yield f"ssl_certificate_key {tls.private_key};"
    if tls.stamp:
        yield f"# certificate of {tls.stamp}"
    yield "ssl_protocols TLSv1.2 TLSv1.3;"
    yield (
        "ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
        "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
        "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305;"
    )
    yield "ssl_prefer_server_ciphers off;"
    yield "ssl_session_cache shared:tls:10m;"
    yield "ssl_session_timeout 1d;"
    yield "ssl_session_tickets off;"
    if tls.hsts_s:
        yield f'add_header Strict-Transport-Security "max-age={tls.hsts_s}" always;'
