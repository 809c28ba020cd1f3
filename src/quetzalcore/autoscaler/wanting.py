"""What a rule asks for, before cooldowns and bounds have their say."""

from __future__ import annotations

from dataclasses import dataclass

from quetzalcore.autoscaler.model import Launch

__all__ = ["Fewer", "Wanted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """So many more members; ``against`` says why it can be none, ``strained`` that the load was too much for the set."""

    count: int
    launches: tuple[Launch, ...]
    reason: str
    against: str = ""
    strained: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Fewer:
    """These members could go."""

    members: tuple[str, ...]
    reason: str
