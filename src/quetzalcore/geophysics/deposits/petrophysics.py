"""Source classes and their petrophysics, as the data file beside this module lists them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from quetzalcore.errors import BadParameter, Where

__all__ = [
    "CULTURAL",
    "GEOMETRIES",
    "UNKNOWN",
    "Lognormal",
    "Petrophysics",
    "Prior",
    "Rock",
    "SourceClass",
    "load_priors",
]

GEOMETRIES = ("equant", "sheet", "pipe", "layer", "culture")
UNKNOWN = "unknown"
CULTURAL = "cultural"
_Z95 = 1.6448536269514722  # standard normal quantile at 95 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Lognormal:
    """A lognormal quantity by its 5th and 95th percentile."""

    p05: float
    p95: float

    def __post_init__(self) -> None:
        """Check that the percentiles are positive and in order."""
        if not 0.0 < self.p05 < self.p95:
            raise BadParameter(
                f"percentiles {self.p05} and {self.p95} are not 0 < p05 < p95",
                hint="give two positive numbers, the smaller first",
            )

    @property
    def mean_dex(self) -> float:
        """Mean of the decimal logarithm."""
        return float(np.log10(self.p05 * self.p95) / 2.0)

    @property
    def sigma_dex(self) -> float:
        """Standard deviation of the decimal logarithm."""
        return float(np.log10(self.p95 / self.p05) / (2.0 * _Z95))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rock:
    """One row of petrophysics: a rock or ore that a class is made of, with its source."""

    rock: str
    share: float
    susceptibility_si: Lognormal
    koenigsberger: Lognormal
    parallel_share: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceClass:
    """A class of magnetic sources: what it is made of, how large, how deep, in which shapes.

    ``geometry`` maps each of ``GEOMETRIES`` to its share; ``aspect`` is length over width;
    ``depth_m`` is below ground; ``culture_flag`` is how often quality control flags such a source.
    """

    name: str
    title: str
    prior: float
    rocks: tuple[Rock, ...]
    geometry: Mapping[str, float]
    width_m: Lognormal
    aspect: Lognormal
    depth_m: Lognormal
    culture_flag: float
    commodities: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """Probability of each class before any evidence; sums to 1."""

    names: tuple[str, ...]
    probability: tuple[float, ...]
    commodity: str | None = None
    geology: str | None = None

    def array(self) -> NDArray[np.float64]:
        """Give the probabilities, (classes,), in the order of ``names``."""
        return np.asarray(self.probability)


@dataclass(frozen=True, slots=True, kw_only=True)
class Petrophysics:
    """Every class, and the factors by which a commodity or a geological setting changes its prior."""

    classes: tuple[SourceClass, ...]
    commodity_factors: Mapping[str, Mapping[str, float]]
    geology_factors: Mapping[str, Mapping[str, float]]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of every probability array."""
        return tuple(each.name for each in self.classes)

    def with_prior(
        self,
        *,
        commodity: str | None = None,
        geology: str | None = None,
        weights: Mapping[str, float] | None = None,
    ) -> Prior:
        """Set the prior by commodity, geological setting, and weights by class name.

        Factors multiply the weights of the data file; ``weights`` then replace whole weights.

        Raises
        ------
        BadParameter
            If a commodity, setting or class is not in the data file, or a weight is not a
            finite number of at least 0, or all are 0.
        """
        factors = _factors(self.commodity_factors, "commodity", commodity)
        settings = _factors(self.geology_factors, "geology", geology)
        given = weights or {}
        unknown_names = sorted(set(given) - set(self.names))
        if unknown_names:
            raise BadParameter(
                f"no class is named {', '.join(unknown_names)}",
                hint=f"use one of {', '.join(self.names)}",
            )
        raw = np.array(
            [
                given.get(c.name, c.prior * factors.get(c.name, 1.0) * settings.get(c.name, 1.0))
                for c in self.classes
            ]
        )
        if not (np.isfinite(raw).all() and (raw >= 0).all() and raw.sum() > 0):
            raise BadParameter(
                "the prior's weights are not all finite, at least 0, and somewhere positive",
                hint="give positive weights",
            )
        shares = raw / raw.sum()
        return Prior(
            names=self.names,
            probability=tuple(float(p) for p in shares),
            commodity=commodity,
            geology=geology,
        )

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Self:
        """Build from the parsed data file."""
        rocks: dict[str, list[Rock]] = {}
        for row in table["rock"]:
            rocks.setdefault(row["class"], []).append(_rock(row))
        return cls(
            classes=tuple(_source_class(row, tuple(rocks[row["name"]])) for row in table["class"]),
            commodity_factors=_named_factors(table.get("commodity", [])),
            geology_factors=_named_factors(table.get("geology", [])),
        )


def load_priors(text: str | None = None) -> Petrophysics:
    """Read the petrophysics from TOML ``text``; by default from the file inside the package.

    Raises
    ------
    BadParameter
        If the text is not TOML, a row lacks a key, a percentile pair is out of order, or there is
        no class ``unknown``.
    """
    source = files(__package__).joinpath("petrophysics.toml").read_text(encoding="utf-8")
    place = Where(file="petrophysics.toml" if text is None else None, field="petrophysics")
    try:
        loaded = Petrophysics.from_table(tomllib.loads(source if text is None else text))
    except tomllib.TOMLDecodeError as error:
        raise BadParameter(f"not TOML: {error}", hint="mend the syntax", where=place) from error
    except (KeyError, ValueError, TypeError) as error:
        raise BadParameter(
            f"a row of the petrophysics is incomplete: {error!r}",
            hint="compare it with the file inside the package",
            where=place,
        ) from error
    if UNKNOWN not in loaded.names:
        raise BadParameter(
            "there is no class named unknown", hint="add one with broad ranges", where=place
        )
    return loaded


def _factors(
    table: Mapping[str, Mapping[str, float]], kind: str, name: str | None
) -> Mapping[str, float]:
    if name is None:
        return {}
    if name not in table:
        raise BadParameter(
            f"no {kind} is named {name!r}",
            hint=f"use one of {', '.join(sorted(table))}, or leave it out",
            where=Where(field=kind),
        )
    return table[name]


def _named_factors(rows: list[dict[str, Any]]) -> Mapping[str, Mapping[str, float]]:
    return MappingProxyType({row["name"]: MappingProxyType(dict(row["factors"])) for row in rows})


def _lognormal(pair: list[float]) -> Lognormal:
    p05, p95 = pair
    return Lognormal(p05=float(p05), p95=float(p95))


def _rock(row: dict[str, Any]) -> Rock:
    return Rock(
        rock=row["rock"],
        share=float(row["share"]),
        susceptibility_si=_lognormal(row["susceptibility_si"]),
        koenigsberger=_lognormal(row["koenigsberger"]),
        parallel_share=float(row["parallel_share"]),
        source=row["source"],
    )


def _source_class(row: dict[str, Any], rocks: tuple[Rock, ...]) -> SourceClass:
    shares = {name: float(row["geometry"].get(name, 0.0)) for name in GEOMETRIES}
    total = sum(shares.values())
    return SourceClass(
        name=row["name"],
        title=row["title"],
        prior=float(row["prior"]),
        rocks=rocks,
        geometry=MappingProxyType({name: share / total for name, share in shares.items()}),
        width_m=_lognormal(row["width_m"]),
        aspect=_lognormal(row["aspect"]),
        depth_m=_lognormal(row["depth_m"]),
        culture_flag=float(row["culture_flag"]),
        commodities=tuple(row["commodities"]),
        source=row["source"],
    )
