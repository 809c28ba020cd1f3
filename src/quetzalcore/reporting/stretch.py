"""From values to positions on a colour bar: equalised, symmetric about zero, or fixed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter

__all__ = ["Stretch", "Tick"]

_KNOTS = 257
_DECIMALS = 5
_BESIDE = 0.05  # how far from an end of the bar its neighbours stand
_TINY = 1e-300
_SAMPLE = 250_000  # values are thinned to about this many before the quantiles are taken
StretchT = TypeVar("StretchT", bound="Stretch")

_FLAT = 1e-9  # of the magnitude: a spread below this is a constant grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One label of a colour bar: the true ``value`` and its ``position`` from 0 to 1."""

    value: float
    position: float
    label: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stretch:
    """A monotone, piecewise linear map from values to positions 0 to 1.

    Parameters
    ----------
    knots : (k,) float64
        Increasing values, in the grid's unit.
    positions : (k,) float64
        Increasing positions of the knots, from 0 to 1. Values beyond the ends take the ends.
    marks : tuple of float
        Values to label; empty leaves the choice to :meth:`ticks`.
    """

    knots: NDArray[np.float64]
    positions: NDArray[np.float64]
    marks: tuple[float, ...] = ()

    @classmethod
    def equalised(cls, values: NDArray[np.floating]) -> Self:
        """Give every colour the same share of the map (histogram equalisation).

        Parameters
        ----------
        values : array
            Any shape; NaN is left out. A constant array gets a narrow linear stretch about its value.

        Raises
        ------
        BadParameter
            If no value is finite.
        """
        sample = _sample(values)
        share = np.linspace(0.0, 1.0, _KNOTS)
        knots = np.quantile(sample, share)
        if knots[-1] - knots[0] <= _FLAT * max(abs(knots[0]), abs(knots[-1])):
            return cls.fixed(*_around(float(knots[0])))
        return _through(cls, knots, share)

    @classmethod
    def symmetric(cls, values: NDArray[np.floating]) -> Self:
        """Spread magnitudes about zero: zero is the middle, +v and -v mirror each other.

        Half way between equalised and linear up to the 98th percentile, so that neither a few strong
        anomalies nor the noise about zero take all the colours. NaN is left out; an array of zeros gets the range -1 to 1.

        Raises
        ------
        BadParameter
            If no value is finite.
        """
        magnitude = np.abs(_sample(values))
        share = np.linspace(0.0, 1.0, _KNOTS)
        knots = np.quantile(magnitude, share)
        if knots[-1] == 0.0:
            return cls.fixed(-1.0, 1.0)
        knots[0] = 0.0
        linear = np.minimum(knots / max(float(np.quantile(magnitude, 0.98)), _TINY), 1.0)
        half = _through(cls, knots, (share + linear) / 2)
        return cls(
            knots=np.concatenate([-half.knots[:0:-1], half.knots]),
            positions=np.concatenate([0.5 - half.positions[:0:-1] / 2, 0.5 + half.positions / 2]),
        )

    @classmethod
    def fixed(cls, low: float, high: float, *, marks: tuple[float, ...] = ()) -> Self:
        """Spread the colours evenly from ``low`` to ``high``; what lies beyond takes the end's colour.

        Raises
        ------
        BadParameter
            If ``low`` is not below ``high``.
        """
        if not low < high:
            raise BadParameter(
                f"a colour range from {low} to {high} is empty", hint="give low below high"
            )
        return cls(knots=np.array([low, high]), positions=np.array([0.0, 1.0]), marks=marks)

    def __call__(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return positions 0 to 1 in the shape of ``values``; NaN stays NaN."""
        return np.asarray(np.interp(values, self.knots, self.positions), dtype=np.float32)

    def inverse(self, positions: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the values at positions 0 to 1."""
        return np.asarray(np.interp(positions, self.positions, self.knots))

    def ticks(self, count: int = 9) -> tuple[Tick, ...]:
        """Choose about ``count`` round true values that stand well apart on the bar.

        Each label's position is that of the rounded value, not of the value before rounding. The ends
        carry the least and the greatest value.
        """
        if self.marks:
            return tuple(_mark(value, float(self(np.array(value)))) for value in self.marks)
        targets = np.linspace(0.0, 1.0, count | 1)  # odd: the middle, so zero, is among them
        inner = [self._tick_near(float(at), 0.3 / count) for at in targets[1:-1]]
        return _thinned([self._end(0.0), *inner, self._end(1.0)], 0.55 / count)

    def _end(self, position: float) -> Tick:
        """Label an end with its own value, to three digits or as many as the range needs."""
        value = float(self.inverse(np.array(position)))
        beside = abs(float(self.inverse(np.array(abs(position - _BESIDE)))))
        step = min(_decade(abs(value)) / 100, _decade(float(np.ptp(self.knots))) / 10)
        if abs(value) < beside / 10:  # next to nothing beside its neighbours
            step = max(step, _decade(beside) / 10)
        return _tick(value, step, position=position)

    def _tick_near(self, position: float, reach: float) -> Tick:
        """Round the value at ``position`` to the digits that tell it from its surroundings."""
        around = np.clip(position + np.array([-reach, 0.0, reach]), 0.0, 1.0)
        low, value, high = (float(each) for each in self.inverse(around))
        step = _round_step(high - low)
        rounded = float(np.round(value / step) * step)
        rounded = rounded if self.knots[0] <= rounded <= self.knots[-1] else value
        return _tick(rounded, step, position=float(self(np.array(rounded))))


def _thinned(ticks: list[Tick], least: float) -> tuple[Tick, ...]:
    """Drop ticks that crowd another; the ends stay."""
    kept, last = ticks[:1], ticks[-1]
    for tick in ticks[1:-1]:
        if min(tick.position - kept[-1].position, last.position - tick.position) >= least:
            kept.append(tick)
    return (*kept, last) if last.value > kept[-1].value else tuple(kept)


def _sample(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Thin the finite values, extremes kept."""
    finite = np.ravel(values)
    finite = finite[np.isfinite(finite)].astype(np.float64, copy=False)
    if not finite.size:
        raise BadParameter(
            "the grid has no finite value", hint="check the blanking distance and the input channel"
        )
    thinned = finite[:: max(1, finite.size // _SAMPLE)]
    return np.concatenate([thinned, [finite.min(), finite.max()]])


def _around(value: float) -> tuple[float, float]:
    half = max(abs(value) * 1e-3, 0.5)
    return value - half, value + half


def _through(
    cls: type[StretchT], knots: NDArray[np.float64], share: NDArray[np.float64]
) -> StretchT:
    """Build a stretch whose knots strictly increase: tied quantiles share their mean position."""
    unique, first, counts = np.unique(knots, return_index=True, return_counts=True)
    last = first + counts - 1
    positions = (share[first] + share[last]) / 2
    positions[0], positions[-1] = 0.0, 1.0
    return cls(knots=unique, positions=positions)


def _decade(size: float) -> float:
    """Return the power of ten at or below ``size``; 1 for zero."""
    return float(10.0 ** np.floor(np.log10(size))) if size else 1.0


def _round_step(span: float) -> float:
    """Return the 1, 2 or 5 times a power of ten that is at most ``span``."""
    span = max(abs(span), _TINY)
    power = _decade(span)
    return float(max(m for m in (1.0, 2.0, 5.0) if m * power <= span * (1 + 1e-12)) * power)


def _tick(value: float, step: float, *, position: float) -> Tick:
    """Label a value with the decimals that its step needs, and no zeros after them."""
    decimals = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    if decimals > _DECIMALS:
        text = f"{value:.1e}"
    else:
        text = f"{np.round(value / step) * step:.{decimals}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return Tick(value=value, position=position, label=_signed(text if float(text) else "0"))


def _mark(value: float, position: float) -> Tick:
    return Tick(value=value, position=position, label=_signed(f"{value:g}"))


def _signed(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")
