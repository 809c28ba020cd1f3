"""Links under which an agent may move one file: to the folder itself, or to the gateway, signed."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from quetzalcore.errors import BadParameter, UserMistake

__all__ = ["BadLink", "FileLinks", "Grant", "SignedLinks", "sign", "verify"]

_PURPOSE = b"quetzalcore blob link 1\n"  # the same secret may sign other things
_SHORTEST_SECRET = 16
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class BadLink(UserMistake):
    """A link that we did not make, that has run out or that is for another method."""

    code = "bad_link"
    title = "The link is not valid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a link allows: one method on one key until a second of Unix time."""

    method: str
    key: str
    expires_at_s: int


def sign(grant: Grant, secret: bytes) -> str:
    """Make a token that is safe in a URL's path and says what it allows.

    Raises
    ------
    BadParameter
        If the secret is too short to be one.
    """
    claim = f"{grant.expires_at_s}\n{grant.method}\n{grant.key}".encode()
    body = _text(claim)
    return f"{body}.{_seal(body, secret)}"


def verify(token: str, *, method: str, now: dt.datetime, secret: bytes) -> Grant:
    """Give what a token allows, if it is ours, for this method and still running.

    Raises
    ------
    BadLink
        In words that say no more about a forged token than that it is not valid.
    """
    body, _, seal = token.partition(".")
    if not hmac.compare_digest(_seal(body, secret).encode(), seal.encode(errors="replace")):
        raise BadLink("the link was not made by this server", hint="ask for a new link")
    grant = _read(body)
    if grant.method != method:
        raise BadLink(f"the link is for {grant.method}, not for {method}", hint="use it as given")
    if (now - _EPOCH).total_seconds() >= grant.expires_at_s:
        raise BadLink("the link has run out", hint="ask for a new link")
    return grant


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLinks:
    """Gives ``file:`` links, for agents on the host that has the folder."""

    def link(self, key: str, *, path: Path, method: str, expires_s: float) -> str:  # noqa: ARG002 -- a path needs no more
        """Give the file's own URL; it does not run out."""
        return path.absolute().as_uri()


class SignedLinks:
    """Gives links to the gateway, which serves the folder's files to agents on other hosts."""

    def __init__(
        self, base_url: str, secret: bytes, *, clock_ns: Callable[[], int] = time.time_ns
    ) -> None:
        _checked(secret)
        self._base_url = base_url.rstrip("/")
        self._secret = secret
        self._clock_ns = clock_ns

    def link(
        self,
        key: str,
        *,
        path: Path,  # noqa: ARG002 -- the gateway finds the file by its key
        method: Literal["GET", "PUT"],
        expires_s: float,
    ) -> str:
        """Give ``{base_url}/api/blobs/{token}``."""
        expires_at_s = round(self._clock_ns() / 1e9 + expires_s)
        token = sign(Grant(method=method, key=key, expires_at_s=expires_at_s), self._secret)
        return f"{self._base_url}/api/blobs/{token}"


def _seal(body: str, secret: bytes) -> str:
    """Give the signature of a token's body."""
    message = _PURPOSE + body.encode(errors="replace")
    return _text(hmac.digest(_checked(secret), message, hashlib.sha256))


def _read(body: str) -> Grant:
    """Read a body that carries our signature."""
    try:
        padded = body + "=" * (-len(body) % 4)
        claim = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        expires_at_s, method, key = claim.split("\n", 2)
        return Grant(method=method, key=key, expires_at_s=int(expires_at_s))
    except (binascii.Error, ValueError) as error:  # signed with our secret, but not by this code
        raise BadLink("the link cannot be read", hint="ask for a new link") from error


def _checked(secret: bytes) -> bytes:
    """Refuse a secret that can be guessed."""
    if len(secret) < _SHORTEST_SECRET:
        raise BadParameter(
            f"the secret for links has {len(secret)} bytes",
            hint=f"give at least {_SHORTEST_SECRET} random bytes in secret_key",
        )
    return secret


def _text(data: bytes) -> str:
    """Write bytes as URL-safe base 64 without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
