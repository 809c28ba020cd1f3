"""Unit prices as ranges with a source and a date, from an editable file."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from quetzalcore.errors import BadParameter, Where

__all__ = ["Rate", "Rates", "load_rates"]

Floats = NDArray[np.float64]

_Z90 = 1.2815515655446004  # the standard normal's 90 % point
_FIELDS = {"unit", "p10", "p50", "p90", "source", "date"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One price or fraction, as a two-piece lognormal that has exactly the stated quantiles.

    Parameters
    ----------
    unit : str
    p10, p50, p90 : float
        Positive, not decreasing: 10, 50 and 90 % of cases lie below.
    source, date : str
        Where the numbers come from and of when they are.
    """

    unit: str
    p10: float
    p50: float
    p90: float
    source: str
    date: str

    @property
    def spreads(self) -> tuple[float, float]:
        """Give the logarithmic standard deviations below and above the median."""
        return math.log(self.p50 / self.p10) / _Z90, math.log(self.p90 / self.p50) / _Z90

    @property
    def mean(self) -> float:
        """Give the expected value, in closed form."""
        below, above = self.spreads
        lower = math.exp(below**2 / 2) * float(ndtr(-below))
        upper = math.exp(above**2 / 2) * float(ndtr(above))
        return self.p50 * (lower + upper)

    def sample(self, draws: int, rng: np.random.Generator) -> Floats:
        """Draw ``draws`` values."""
        z = rng.standard_normal(draws)
        below, above = self.spreads
        return np.asarray(self.p50 * np.exp(z * np.where(z < 0, below, above)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """All rates by name."""

    by_name: Mapping[str, Rate]

    def __getitem__(self, name: str) -> Rate:
        """Return one rate."""
        return self.by_name[name]


def load_rates(text: str | None = None) -> Rates:
    """Read rates: the package's own, with those in ``text`` instead of the ones of the same name.

    Parameters
    ----------
    text : str, optional
        TOML, one table a rate with ``unit, p10, p50, p90, source, date``.

    Raises
    ------
    BadParameter
        If the text is no TOML, names an unknown rate, lacks a field, changes a unit, or its numbers
        are not positive and in order.
    """
    if text is None:
        return _own()
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadParameter(
            f"the rates are not TOML ({error})", hint="start from a copy of rates.toml"
        ) from None
    own = _own().by_name
    given = {name: _rate(name, table, own) for name, table in tables.items()}
    return Rates(by_name=MappingProxyType({**own, **given}))


@cache
def _own() -> Rates:
    text = files("quetzalcore.geophysics.economics").joinpath("rates.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    return Rates(by_name=MappingProxyType({name: Rate(**table) for name, table in tables.items()}))


def _rate(name: str, table: Any, own: Mapping[str, Rate]) -> Rate:  # noqa: ANN401 -- whatever TOML holds
    where = Where(field=name)
    if name not in own:
        raise BadParameter(
            f"there is no rate {name}", hint=f"choose from {', '.join(own)}", where=where
        )
    if not isinstance(table, dict) or set(table) != _FIELDS:
        raise BadParameter(
            "a rate is incomplete or has unknown fields",
            hint=f"give it exactly {', '.join(sorted(_FIELDS))}",
            where=where,
        )
    if table["unit"] != own[name].unit:
        raise BadParameter(
            f"the unit is {table['unit']!r}", hint=f"convert it to {own[name].unit!r}", where=where
        )
    _check_numbers([table["p10"], table["p50"], table["p90"]], where)
    return Rate(**table)


def _check_numbers(values: list[Any], where: Where) -> None:
    numeric = all(isinstance(value, int | float) and math.isfinite(value) for value in values)
    if not numeric or not 0 < values[0] <= values[1] <= values[2]:
        raise BadParameter(
            f"p10, p50, p90 are {', '.join(str(value) for value in values)}",
            hint="give positive numbers that do not decrease",
            where=where,
        )
