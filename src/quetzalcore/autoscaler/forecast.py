"""How deep the queue will be before the next growth helps: additive Holt-Winters over what arrives."""

from __future__ import annotations

__all__ = ["HoltWinters", "QueueForecast"]

_LEVEL, _TREND, _SEASON, _DAMPING = 0.4, 0.1, 0.3, 0.9
_LEARNING = 0.2


class HoltWinters:
    """Additive exponential smoothing with a damped trend and, if wanted, a season (Holt 1957, Winters 1960).

    Parameters
    ----------
    season : int
        Steps in a season; 0 for none. In the first season nothing is known of it yet.
    """

    def __init__(self, *, season: int = 0) -> None:
        self._season = [0.0] * season
        self._level = 0.0
        self._trend = 0.0
        self._seen = 0

    def observe(self, value: float) -> None:
        """Take in the next value."""
        length = len(self._season)
        place = self._seen % length if length else 0
        seasonal = self._season[place] if 0 < length <= self._seen else 0.0
        before = self._level
        ahead = before + _DAMPING * self._trend
        if not self._seen:
            self._level = value
        else:
            self._level = _LEVEL * (value - seasonal) + (1 - _LEVEL) * ahead
            self._trend = _TREND * (self._level - before) + (1 - _TREND) * _DAMPING * self._trend
        if length:
            self._learn_season(place, value)
        self._seen += 1

    def _learn_season(self, place: int, value: float) -> None:
        """Keep the first season whole, and centre it on its mean when it is complete."""
        length = len(self._season)
        if self._seen < length:
            self._season[place] = value
            if self._seen == length - 1:
                mean = sum(self._season) / length
                self._season = [known - mean for known in self._season]
                self._level, self._trend = mean, 0.0
            return
        old = self._season[place]
        self._season[place] = _SEASON * (value - self._level) + (1 - _SEASON) * old

    def forecast(self, steps: int) -> list[float]:
        """Give the values to come, never below 0."""
        length = len(self._season)
        known = bool(length) and self._seen >= length
        level, trend, values = self._level, self._trend, []
        for step in range(steps):
            trend *= _DAMPING
            level += trend
            seasonal = self._season[(self._seen + step) % length] if known else 0.0
            values.append(max(0.0, level + seasonal))
        return values


class QueueForecast:
    """Looks at what arrives and what gets done, and says how deep the queue will be.

    Parameters
    ----------
    step_s : float
        Width of the bins that arrivals are counted in, seconds.
    season_s : float
        After how long the load repeats itself, as a day of 86,400 s; 0 if it does not.
    """

    def __init__(self, *, step_s: float = 60.0, season_s: float = 0.0) -> None:
        self._step_s = step_s
        self._arrivals = HoltWinters(season=round(season_s / step_s))
        self._count = 0.0
        self._bin_ends_s: float | None = None
        self._done_per_core_s: float | None = None
        self._done = 0.0
        self._core_s = 0.0
        self._seen_at_s = 0.0

    def observe(self, at_s: float, *, arrived: int, finished: int, busy_cores: float) -> None:
        """Take in what happened since the last look: jobs that came, jobs that ended, cores that were busy."""
        if self._bin_ends_s is None:
            self._bin_ends_s, self._seen_at_s = at_s + self._step_s, at_s
        self._core_s += busy_cores * (at_s - self._seen_at_s)
        self._seen_at_s = at_s
        self._count += arrived
        self._done += finished
        while at_s >= self._bin_ends_s:
            self._arrivals.observe(self._count)
            self._learn_pace()
            self._count = 0.0
            self._bin_ends_s += self._step_s

    def expected_depth(self, depth: int, *, lead_s: float, cores: float) -> float:
        """Give the queue's depth after ``lead_s``, if the set keeps ``cores`` (members on their way included)."""
        if self._done_per_core_s is None:
            return float(depth)
        steps = max(1, round(lead_s / self._step_s))
        served = self._done_per_core_s * cores * self._step_s
        left = float(depth)
        for arriving in self._arrivals.forecast(steps):
            left = max(0.0, left + arriving - served)
        return left

    def _learn_pace(self) -> None:
        """Learn how many jobs a busy core ends in a second."""
        if self._core_s <= 0:
            return
        pace = self._done / self._core_s
        known = self._done_per_core_s
        self._done_per_core_s = pace if known is None else known + _LEARNING * (pace - known)
        self._done = self._core_s = 0.0
