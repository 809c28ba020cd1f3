"""Random secrets, and what is kept of them."""

from __future__ import annotations

import hashlib
import secrets

__all__ = [
    "KEY_PREFIX",
    "could_be_key",
    "csrf_token",
    "digest",
    "new_cookie",
    "new_key",
    "new_row_id",
]

KEY_PREFIX = "qz_"  # so that scanners find a key that was committed somewhere
_BYTES = 32
_LENGTH = len(KEY_PREFIX) + 43


def new_key() -> str:
    """Make an API key: ``qz_`` and 256 random bits."""
    return KEY_PREFIX + secrets.token_urlsafe(_BYTES)


def new_cookie() -> str:
    """Make a session's cookie: 256 random bits."""
    return secrets.token_urlsafe(_BYTES)


def new_row_id() -> str:
    """Make the public id of a key or session; it opens nothing."""
    return secrets.token_hex(8)


def could_be_key(secret: str) -> bool:
    """Whether it is worth asking the database."""
    return len(secret) == _LENGTH and secret.startswith(KEY_PREFIX) and secret.isascii()


def digest(secret: str) -> str:
    """Give what is kept of a random secret. It has too many bits to be guessed, so no slow hash is needed."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def csrf_token(cookie: str) -> str:
    """Give the token that a page of this session sends along; who lacks the cookie cannot make it."""
    return hashlib.sha256(b"quetzalcore csrf 1\n" + cookie.encode("utf-8", "replace")).hexdigest()
