"""What each stage did: the lines of the report's "what was done", in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Outcome", "StageLog", "StageRecord"]


class Outcome(StrEnum):
    """Whether a stage changed anything, and if not, whose decision that was."""

    DONE = "done"
    SKIPPED = "skipped"  # the user said so
    NOT_APPLICABLE = "not applicable"  # the data cannot carry it; the reason says why


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRecord:
    """One stage: what it was asked, what it changed, what it warns of."""

    stage: str
    outcome: Outcome
    reason: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
    rows_changed: int = 0
    rms_change_nt: float = 0.0
    max_change_nt: float = 0.0
    warnings: tuple[str, ...] = ()
    duration_s: float = 0.0


class StageLog:
    """Collects records and warnings while a job runs, and measures how long each stage took."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()
        self._records: list[StageRecord] = []
        self._warnings: list[str] = []

    def add(self, record: StageRecord) -> None:
        """Append a record; its duration is the time since the one before."""
        now = self._clock()
        timed = {name: getattr(record, name) for name in record.__slots__}
        self._records.append(StageRecord(**{**timed, "duration_s": round(now - self._last, 3)}))
        self._warnings.extend(w for w in record.warnings if w not in self._warnings)
        self._last = now

    def caution(self, *warnings: str) -> None:
        """Keep warnings that belong to no single stage."""
        self._warnings.extend(w for w in warnings if w not in self._warnings)

    @property
    def records(self) -> tuple[StageRecord, ...]:
        """Everything that was done, in order."""
        return tuple(self._records)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Every warning once, in order."""
        return tuple(self._warnings)
