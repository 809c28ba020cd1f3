"""How a worker finds its gateway, reads its ticket, and what the head's side keeps."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography import x509

from quetzalcore.cluster.addresses import address_towards, own_addresses
from quetzalcore.cluster.cluster_keys import invite, keep_cluster_keys, security_here
from quetzalcore.cluster.joining import CannotJoin, GatewayUnreachable, gateway_url, join
from quetzalcore.errors import BadParameter

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


class Gateway:
    """Answers every POST in one way and remembers what was asked."""

    def __init__(self) -> None:
        self.status, self.answer = 200, b""
        self.asked: list[tuple[str, str, Any]] = []
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                key = self.headers["Authorization"]
                gateway.asked.append((self.path, key, json.loads(body)))
                self.send_response(gateway.status)
                self.send_header("Content-Length", str(len(gateway.answer)))
                self.end_headers()
                self.wfile.write(gateway.answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.place = f"127.0.0.1:{self.server.server_port}"


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("place", "url"),
    [
        ("gate", "http://gate:8000"),
        ("gate:81", "http://gate:81"),
        ("10.0.0.1", "http://10.0.0.1:8000"),
        ("[fd00::1]:81", "http://[fd00::1]:81"),
        ("https://gate.example/", "https://gate.example"),
        ("http://gate:8080", "http://gate:8080"),
    ],
)
def test_a_host_a_host_with_a_port_and_a_url_all_name_a_gateway(place: str, url: str) -> None:
    assert gateway_url(place) == url


def test_nothing_is_no_gateway() -> None:
    with pytest.raises(BadParameter, match="no host"):
        gateway_url("")


def test_a_ticket_reaches_the_worker_as_it_was_written(gateway, tmp_path) -> None:
    keys = keep_cluster_keys(tmp_path, now=NOW)
    ticket = invite(keys, address="10.0.0.1:6380", name="n", addresses=("10.0.0.2",), now=NOW)
    gateway.answer = json.dumps(ticket.document()).encode()
    joined = asyncio.run(join(gateway.place, "qz_key", addresses=("10.0.0.2",), name="n"))
    assert joined == ticket
    assert gateway.asked == [
        ("/api/cluster/join", "Bearer qz_key", {"name": "n", "addresses": ["10.0.0.2"]})
    ]


def test_a_ticket_shows_no_secret_in_a_log(tmp_path) -> None:
    keys = keep_cluster_keys(tmp_path, now=NOW)
    ticket = invite(keys, address="10.0.0.1:6380", name="n", addresses=("10.0.0.2",), now=NOW)
    assert keys.token not in repr(ticket) + repr(keys)
    assert "PRIVATE KEY" not in repr(ticket) + repr(keys)


def test_a_refusal_is_told_in_the_gateways_words(gateway) -> None:
    gateway.status = 403
    gateway.answer = json.dumps({"detail": "this key joins nothing", "hint": "ask"}).encode()
    with pytest.raises(CannotJoin, match="this key joins nothing: ask"):
        asyncio.run(join(gateway.place, "k"))


def test_a_broken_proxy_is_worth_another_try(gateway) -> None:
    gateway.status, gateway.answer = 502, b"<html>bad gateway</html>"
    with pytest.raises(GatewayUnreachable, match="502"):
        asyncio.run(join(gateway.place, "k"))


def test_a_ticket_without_certificates_is_refused(gateway, tmp_path) -> None:
    keys = keep_cluster_keys(tmp_path, now=NOW)
    ticket = invite(keys, address="10.0.0.1:6380", name="n", addresses=("10.0.0.2",), now=NOW)
    gateway.answer = json.dumps(replace(ticket, certificates={}).document()).encode()
    with pytest.raises(CannotJoin, match=r"incomplete .*node\.crt"):
        asyncio.run(join(gateway.place, "k"))


def test_a_silent_gateway_is_named(gateway) -> None:
    gateway.server.server_close()
    with pytest.raises(GatewayUnreachable, match=gateway.place):
        asyncio.run(join(gateway.place, "k"))


def test_a_worker_without_addresses_cannot_be_certified(tmp_path) -> None:
    keys = keep_cluster_keys(tmp_path, now=NOW)
    with pytest.raises(BadParameter, match="addresses"):
        invite(keys, address="10.0.0.1:6380", name="n", addresses=(), now=NOW)


def test_the_clusters_keys_are_made_once_and_kept(tmp_path) -> None:
    folder = tmp_path / "cluster"
    made = keep_cluster_keys(folder, now=NOW)
    assert keep_cluster_keys(folder, now=NOW + dt.timedelta(days=9)) == made
    assert len(made.token) == 64
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert keep_cluster_keys(tmp_path / "other", now=NOW).token != made.token


def test_a_token_from_the_settings_replaces_the_kept_one(tmp_path) -> None:
    keep_cluster_keys(tmp_path, now=NOW)
    assert keep_cluster_keys(tmp_path, now=NOW, token="t" * 40).token == "t" * 40
    with pytest.raises(BadParameter, match="5 characters"):
        keep_cluster_keys(tmp_path, now=NOW, token="short")  # noqa: S106 -- made up


def test_a_head_is_certified_for_the_name_that_others_call_it_by(tmp_path) -> None:
    keys = keep_cluster_keys(tmp_path, now=NOW)
    security_here(keys, now=NOW)
    security = security_here(keys, now=NOW, names=("head.example.org",))
    assert security.tls is not None
    certificate = x509.load_pem_x509_certificate(security.tls.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "head.example.org" in names.get_values_for_type(x509.DNSName)


def test_the_heads_own_host_is_certified_too(tmp_path) -> None:
    security = security_here(keep_cluster_keys(tmp_path, now=NOW), now=NOW)
    assert security.tls is not None
    assert security.tls.certificate.read_text().startswith("-----BEGIN CERTIFICATE")
    assert security.token_file.read_text()


def test_a_host_is_certified_anew_only_before_its_certificate_runs_out(tmp_path) -> None:
    def certificate(now: dt.datetime) -> str:
        security = security_here(keep_cluster_keys(tmp_path, now=NOW), now=now)
        assert security.tls is not None
        return security.tls.certificate.read_text()

    first = certificate(NOW)
    assert certificate(NOW + dt.timedelta(days=700)) == first
    assert certificate(NOW + dt.timedelta(days=800)) != first
    (tmp_path / "ca.key").unlink()  # a new authority
    assert certificate(NOW) != first


def test_a_host_knows_its_addresses() -> None:
    assert address_towards("127.0.0.1", 9) == "127.0.0.1"
    assert own_addresses()
