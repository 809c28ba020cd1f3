"""What the instruments and the day add to the field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.simulation.flight import Flight
from quetzalcore.geophysics.simulation.plan import AcquisitionErrors

__all__ = ["Day", "instrument_errors_nt", "random_day"]

Array = NDArray[np.float64]

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Day:
    """The field's variation in time, the same over the whole area: sines of (k,) periods."""

    start_s: float
    period_s: Array
    phase_rad: Array
    amplitude_nt: Array

    def variation_nt(self, time_s: Array) -> Array:
        """Return the variation at (n,) times, zero at the start of the day."""

        def waves(when: Array) -> Array:
            total = np.zeros(len(when))
            for period, phase, amplitude in zip(
                self.period_s, self.phase_rad, self.amplitude_nt, strict=True
            ):
                total += amplitude * np.sin(2 * np.pi * when / period + phase)
            return total

        return waves(time_s - self.start_s) - waves(np.zeros(1))


def random_day(start_s: float, errors: AcquisitionErrors, rng: np.random.Generator) -> Day:
    """Draw a quiet day: the daily wave and its overtones, slow bays, and micropulsations."""
    daily = _DAY_S / np.arange(1, 5)
    bays = np.exp(rng.uniform(np.log(1200), np.log(7200), 8))
    pulses = np.exp(rng.uniform(np.log(20), np.log(150), 24))
    amplitude = np.concatenate(
        [
            errors.diurnal_nt / np.arange(1, 5) ** 1.5,
            np.full(8, 0.06 * errors.diurnal_nt),
            np.full(24, errors.micropulsation_nt * np.sqrt(2 / 24)),
        ]
    )
    period = np.concatenate([daily, bays, pulses])
    return Day(
        start_s=start_s,
        period_s=period,
        phase_rad=rng.uniform(0, 2 * np.pi, len(period)),
        amplitude_nt=amplitude,
    )


def instrument_errors_nt(
    flight: Flight, errors: AcquisitionErrors, rng: np.random.Generator
) -> Array:
    """Return heading error, each line's level and drift, noise and spikes, (n,) nT."""
    count, lines = len(flight.line), len(flight.line_names)
    level = rng.normal(0.0, errors.level_nt, lines)
    slope = rng.normal(0.0, errors.level_nt / 2, lines)
    first = np.searchsorted(flight.line, np.arange(lines))
    last = np.searchsorted(flight.line, np.arange(lines), side="right") - 1
    duration = flight.time_s[last] - flight.time_s[first]
    share = (flight.time_s - flight.time_s[first][flight.line]) / duration[flight.line] - 0.5
    total = errors.heading_nt * np.cos(flight.heading_rad)
    total = total + level[flight.line] + slope[flight.line] * share
    total += rng.normal(0.0, errors.noise_nt, count)
    spiked = rng.random(count) < errors.spike_share
    size = errors.spike_nt * rng.lognormal(0.0, 0.7, count) * rng.choice([-1.0, 1.0], count)
    return np.asarray(total + np.where(spiked, size, 0.0))
