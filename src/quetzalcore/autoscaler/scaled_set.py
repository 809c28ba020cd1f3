"""What the loop needs of a set that scales, be it workers or instances."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

from quetzalcore.autoscaler.model import Metrics, Target
from quetzalcore.autoscaler.provider import Provider
from quetzalcore.errors import Retryable

__all__ = ["NotSeenYet", "Observed", "ScaledSet"]


class NotSeenYet(Retryable):
    """A new leader has not seen who is there."""

    code = "not_seen_yet"
    title = "The set is not known yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """A set as it is now.

    ``made`` are the ids that the provider knows; ``vacant`` are those of them that have nothing left to do and get
    nothing new; ``overdue`` are machines that were launched too long ago and have not become members.
    """

    metrics: Metrics
    made: frozenset[str] = frozenset()
    vacant: frozenset[str] = frozenset()
    overdue: tuple[str, ...] = ()


class ScaledSet(Protocol):
    """One set, as it can be seen and asked."""

    @property
    def target(self) -> Target:
        """Which of the two it is."""
        ...

    @property
    def provider(self) -> Provider:
        """Where its members come from."""
        ...

    async def observe(self, now: dt.datetime) -> Observed:
        """Look at it; ``NotSeenYet``, or another ``Retryable`` where it cannot be seen now."""
        ...

    async def drain(self, member_id: str) -> None:
        """Let nothing new come to a member; one that is not there is no error."""
        ...
