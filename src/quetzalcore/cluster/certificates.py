"""A small private authority whose certificates let the cluster's hosts know one another.

Ray asks both ends of every connection for a certificate of the one authority, and the called end's
must name the address that was called.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from quetzalcore.cluster.ray_access import TlsFiles

__all__ = [
    "Certified",
    "issue",
    "new_authority",
    "read_certified",
    "write_secret",
    "write_tls_files",
]

_AUTHORITY_LIFE = dt.timedelta(days=3650)
_HOST_LIFE = dt.timedelta(days=825)
_RENEW_BEFORE = dt.timedelta(days=30)
_SKEW = dt.timedelta(hours=1)  # hosts' clocks differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """A certificate and its private key, as PEM text."""

    certificate: str
    key: str = field(repr=False)


def new_authority(name: str, *, now: dt.datetime) -> Certified:
    """Make an authority that signs for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(name)
    certificate = (
        _builder(subject, subject, key.public_key(), now, _AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _as_text(certificate, key)


def issue(authority: Certified, *, name: str, hosts: Iterable[str], now: dt.datetime) -> Certified:
    """Make a certificate, for both ends of a connection, for a host's addresses and names."""
    issuer = x509.load_pem_x509_certificate(authority.certificate.encode())
    issuer_key = serialization.load_pem_private_key(authority.key.encode(), password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is not one of ours")
    key = ec.generate_private_key(ec.SECP256R1())
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    names = [_general_name(host) for host in dict.fromkeys((*hosts, "127.0.0.1", "localhost"))]
    certificate = (
        _builder(_subject(name), issuer.subject, key.public_key(), now, _HOST_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(both, critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return _as_text(certificate, key)


def write_tls_files(folder: Path, certified: Certified, *, authority: str) -> TlsFiles:
    """Write a host's files, readable by this user alone."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = tls_files(folder)
    write_secret(files.certificate, certified.certificate)
    write_secret(files.authority, authority)
    write_secret(files.key, certified.key)
    return files


def tls_files(folder: Path) -> TlsFiles:
    """Name a host's files in its folder."""
    return TlsFiles(
        certificate=folder / "node.crt", key=folder / "node.key", authority=folder / "ca.crt"
    )


def write_secret(path: Path, text: str) -> None:
    """Write a file that this user alone may read, whole or not at all."""
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    half.touch(mode=0o600)
    with half.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())  # else a power cut may leave the name and not the key
    half.replace(path)


def still_good(files: TlsFiles, *, hosts: Iterable[str], authority: str, now: dt.datetime) -> bool:
    """Say whether a host's files are there, of this authority, for these addresses, and for a month to come."""
    if not all(path.exists() for path in (files.certificate, files.key, files.authority)):
        return False
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return (
        files.authority.read_text(encoding="ascii") == authority
        and {_general_name(host) for host in hosts} <= set(names)
        and certificate.not_valid_after_utc - now > _RENEW_BEFORE
    )


def read_certified(certificate: Path, key: Path) -> Certified:
    """Read a certificate and its key."""
    return Certified(
        certificate=certificate.read_text(encoding="ascii"), key=key.read_text(encoding="ascii")
    )


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: dt.datetime,
    life: dt.timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + life)
    )


def _subject(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "QuetzalCore"),
            x509.NameAttribute(NameOID.COMMON_NAME, name[:64]),
        ]
    )


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _as_text(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Certified:
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Certified(
        certificate=certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"),
        key=private.decode("ascii"),
    )
