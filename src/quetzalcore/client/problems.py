"""What a server's refusal becomes here: an error with the server's own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from quetzalcore.errors import QuetzalError, Retryable, Where

__all__ = ["ServerProblem", "ServerUnreachable", "problem_from"]


class ServerUnreachable(Retryable):
    """Nothing answers at the server's address, or the answer broke off."""

    code = "server_unreachable"
    title = "The server cannot be reached"


class ServerProblem(QuetzalError):
    """The server refused; ``status`` is HTTP's, ``document`` the whole problem document."""

    def __init__(
        self,
        detail: str,
        *,
        hint: str,
        where: Where | None,
        status: int,
        document: Mapping[str, Any],
    ) -> None:
        super().__init__(detail, hint=hint, where=where)
        self.status = status
        self.document = document
        self.code = str(document.get("code", "error"))
        self.title = str(document.get("title", "The server refused"))


def problem_from(status: int, document: object) -> ServerProblem:
    """Build the error from an answer's body, which may be anything."""
    known = document if isinstance(document, Mapping) else {}
    place = known.get("where") or {}
    return ServerProblem(
        str(known.get("detail") or f"the server answered {status}"),
        hint=str(known.get("hint") or ""),
        where=Where(**{k: v for k, v in place.items() if k in Where.__slots__}) if place else None,
        status=status,
        document=known,
    )
