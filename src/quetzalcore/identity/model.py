"""Who somebody is and what they may do; value objects."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["ApiKey", "AuditLine", "Principal", "Role", "User"]


class Role(StrEnum):
    """What a user may do: a client sees the own tenant's jobs, an analyst also asks and models, an admin operates."""

    ADMIN = "admin"
    ANALYST = "analyst"
    CLIENT = "client"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who makes a request, however they proved it. ``scope`` is ``join`` for a worker's key, else ``user``."""

    user: str
    tenant: str
    role: Role
    key_id: str = ""
    session_id: str = ""
    csrf_token: str = ""
    scope: str = "user"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person or a program that may log in."""

    name: str
    tenant: str
    role: Role
    created_at: dt.datetime
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """Who did what to what; ``user`` is empty where nobody was known. ``sequence`` rises."""

    sequence: int
    at: dt.datetime
    user: str
    tenant: str
    key_id: str
    action: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as listed; the secret itself is shown once and kept only as a hash."""

    id: str
    user: str
    tenant: str
    label: str
    scope: str
    created_at: dt.datetime
    last_used_at: dt.datetime | None = None
    expires_at: dt.datetime | None = None
    revoked: bool = False
