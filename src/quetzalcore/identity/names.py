"""Which names, passwords and labels may be used."""

from __future__ import annotations

import re

from quetzalcore.errors import BadParameter

__all__ = [
    "MOST_KEYS",
    "checked_label",
    "checked_password",
    "checked_tenant",
    "checked_user_name",
    "is_user_name",
    "name_taken",
    "plain",
    "too_many_keys",
]

_USER = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,99}")
_TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")  # part of artifact keys and of addresses
_SHORTEST_PASSWORD = 10
_LONGEST_PASSWORD = 1000  # hashing reads all of it
_LONGEST_LABEL = 100
MOST_KEYS = 100  # of one user: those that work, and as many again that were revoked last


def checked_user_name(name: str) -> str:
    """Give a user's name back if it can be one; an e-mail address in lower case can."""
    if not is_user_name(name):
        raise BadParameter(
            f"{name[:100]!r} cannot be a user's name",
            hint="use up to 100 of a-z, 0-9, '.', '_', '@', '+' and '-', beginning with one of a-z or 0-9",
        )
    return name


def is_user_name(name: str) -> bool:
    """Whether somebody may have this name."""
    return _USER.fullmatch(name) is not None


def name_taken(name: str) -> BadParameter:
    """Refuse a name that somebody has."""
    return BadParameter(f"there is a user {name!r} already", hint="choose another name")


def checked_tenant(name: str) -> str:
    """Give a tenant's name back if it can be one."""
    if not _TENANT.fullmatch(name):
        raise BadParameter(
            f"{name[:100]!r} cannot be a tenant's name",
            hint="use up to 63 of a-z, 0-9 and '-', beginning with one of a-z or 0-9",
        )
    return name


def checked_password(password: str, *, user: str) -> str:
    """Give a password back if it is long enough and not the user's name."""
    if not _SHORTEST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise BadParameter(
            f"the password has {len(password)} characters",
            hint=f"use {_SHORTEST_PASSWORD} to {_LONGEST_PASSWORD} characters",
        )
    if user in password.lower():
        raise BadParameter("the password holds the user's name", hint="choose another one")
    try:
        password.encode()
    except UnicodeEncodeError:
        raise BadParameter("the password is not valid Unicode", hint="type it again") from None
    return password


def too_many_keys(user: str) -> BadParameter:
    """Refuse one more key."""
    return BadParameter(f"{user} has {MOST_KEYS} keys", hint="revoke some that are not used")


def checked_label(label: str) -> str:
    """Give a key's label back if a list can show it on one line."""
    if len(label) > _LONGEST_LABEL or not label.isprintable():
        raise BadParameter(
            f"the label {label[:_LONGEST_LABEL]!r} cannot be shown in a list",
            hint=f"use up to {_LONGEST_LABEL} printable characters",
        )
    return label


def plain(words: str, *, longest: int) -> str:
    """Make any text fit for a column: what a database refuses is replaced, what is too long is cut."""
    whole = words.encode("utf-8", "replace").decode()
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in whole
    )[:longest]
