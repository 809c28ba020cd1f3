"""Which attempts an agent may still run, by deadlines on its own monotonic clock; no clock inside."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["MARGIN", "LeaseBook"]

MARGIN = 0.15  # of a lease: what a message's way and a kill may take, so that the end comes in time


class LeaseBook:
    """Deadlines by attempt; each lies ``MARGIN`` of the lease before its true end.

    The ledger's lease began before the message was sent, so an agent that ends its work at these
    deadlines has ended it before the ledger gives the job to somebody else.
    """

    def __init__(self) -> None:
        self._deadlines: dict[str, float] = {}

    def __contains__(self, attempt_id: object) -> bool:
        """Say whether an attempt has a lease."""
        return attempt_id in self._deadlines

    def grant(self, attempt_id: str, *, lease_s: float, now_s: float) -> None:
        """Give an attempt its first lease, or replace its lease."""
        self._deadlines[attempt_id] = now_s + lease_s * (1.0 - MARGIN)

    def renew(self, attempt_id: str, *, lease_s: float, now_s: float) -> bool:
        """Move a known attempt's deadline, never to an earlier time; give False if it has no lease."""
        if attempt_id not in self._deadlines:
            return False
        later = now_s + lease_s * (1.0 - MARGIN)
        self._deadlines[attempt_id] = max(self._deadlines[attempt_id], later)
        return True

    def release(self, attempt_id: str) -> None:
        """Forget an attempt; nothing happens if it is not known."""
        self._deadlines.pop(attempt_id, None)

    def take_expired(self, now_s: float) -> tuple[str, ...]:
        """Give the attempts whose deadline has come, earliest first, and forget them."""
        expired = sorted(
            (deadline, attempt)
            for attempt, deadline in self._deadlines.items()
            if deadline <= now_s
        )
        for _, attempt in expired:
            del self._deadlines[attempt]
        return tuple(attempt for _, attempt in expired)

    def next_deadline(self) -> float | None:
        """Give the earliest deadline."""
        return min(self._deadlines.values(), default=None)

    def attempts(self) -> Iterable[str]:
        """Give the attempts that have a lease."""
        return tuple(self._deadlines)
