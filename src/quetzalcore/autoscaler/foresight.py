"""How deep the queue will be by the time that a machine asked for now is ready, from what the ledger counts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from quetzalcore.autoscaler.forecast import QueueForecast
from quetzalcore.jobs.model import TERMINAL, JobState

__all__ = ["Foresight"]

_FIRST_READY_S = 60.0
_LEARNING = 0.3


class Foresight:
    """Fed at every look; knows nothing of what was before its leader's term."""

    def __init__(self, *, up_cooldown_s: float, season_s: float = 0.0) -> None:
        self._forecast = QueueForecast(season_s=season_s)
        self._up_cooldown_s = up_cooldown_s
        self._ready_s = _FIRST_READY_S
        self._began: dt.datetime | None = None
        self._came = self._ended = 0

    def learn_start(self, took_s: float) -> None:
        """Learn how long a machine takes from its launch to its first job."""
        self._ready_s += _LEARNING * (took_s - self._ready_s)

    def expected_depth(
        self, counts: Mapping[JobState, int], *, busy_cores: float, cores: float, now: dt.datetime
    ) -> float:
        """Take in how many jobs there are by state, and give the depth that is to be expected."""
        came, ended = sum(counts.values()), sum(counts.get(state, 0) for state in TERMINAL)
        first = self._began is None
        self._began = began = self._began or now
        # Forgetting old jobs makes both fewer: that is nobody's arrival, and nobody's end.
        self._forecast.observe(
            (now - began).total_seconds(),
            arrived=0 if first else max(0, came - self._came),
            finished=0 if first else max(0, ended - self._ended),
            busy_cores=busy_cores,
        )
        self._came, self._ended = came, ended
        return self._forecast.expected_depth(
            counts.get(JobState.QUEUED, 0),
            lead_s=self._ready_s + self._up_cooldown_s,
            cores=cores,
        )
