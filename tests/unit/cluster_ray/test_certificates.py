"""The private authority, judged by OpenSSL through a real handshake."""

from __future__ import annotations

import datetime as dt
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509

from quetzalcore.cluster.certificates import issue, new_authority, write_tls_files
from quetzalcore.cluster.ray_access import TlsFiles

NOW = dt.datetime.now(dt.UTC)


def files_of(folder: Path, *hosts: str, now: dt.datetime = NOW) -> TlsFiles:
    authority = new_authority("test", now=now)
    host = issue(authority, name="node", hosts=hosts, now=now)
    return write_tls_files(folder, host, authority=authority.certificate)


def context(purpose: ssl.Purpose, mine: TlsFiles, authority: Path) -> ssl.SSLContext:
    made = ssl.create_default_context(purpose, cafile=str(authority))
    made.load_cert_chain(mine.certificate, mine.key)
    made.verify_mode = ssl.CERT_REQUIRED
    return made


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    """Let two ends talk through memory until both have agreed, or raise."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue


def test_two_hosts_of_one_authority_trust_each_other(tmp_path) -> None:
    authority = new_authority("test", now=NOW)
    one, other = (
        write_tls_files(
            tmp_path / host,
            issue(authority, name=host, hosts=[host], now=NOW),
            authority=authority.certificate,
        )
        for host in ("10.1.0.1", "10.1.0.2")
    )
    server = context(ssl.Purpose.CLIENT_AUTH, one, one.authority)
    client = context(ssl.Purpose.SERVER_AUTH, other, other.authority)
    shake_hands(server, client, "10.1.0.1")
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        shake_hands(server, client, "10.1.0.3")


def test_a_host_of_another_authority_is_refused_by_both_ends(tmp_path) -> None:
    ours, theirs = (files_of(tmp_path / name, "10.1.0.1") for name in ("ours", "theirs"))
    server = context(ssl.Purpose.CLIENT_AUTH, ours, ours.authority)
    stranger = context(ssl.Purpose.SERVER_AUTH, theirs, theirs.authority)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(server, stranger, "10.1.0.1")
    half_trusted = context(ssl.Purpose.SERVER_AUTH, theirs, ours.authority)
    with pytest.raises(ssl.SSLError):
        shake_hands(server, half_trusted, "10.1.0.1")


def test_names_and_addresses_are_certified_and_loopback_always(tmp_path) -> None:
    files = files_of(tmp_path, "node.example", "10.1.0.1", "fd00::1")
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"node.example", "localhost"}
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"10.1.0.1", "fd00::1", "127.0.0.1"}


def test_keys_are_for_their_owner_alone(tmp_path) -> None:
    files = files_of(tmp_path / "new", "10.1.0.1")
    assert stat.S_IMODE(files.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(files.key.parent.stat().st_mode) == 0o700
    assert "PRIVATE KEY" in files.key.read_text()


def test_a_private_key_is_never_shown_in_a_log() -> None:
    authority = new_authority("test", now=NOW)
    assert "PRIVATE" not in repr(authority)
