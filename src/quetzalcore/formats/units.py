"""Units as files write them, and what they are in ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["UNITS", "Unit", "find_unit", "unit_in_name"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit: its usual symbol, what it measures, and its size in nT, m, degrees or seconds."""

    symbol: str
    quantity: str
    factor: float


def _named(unit: Unit, names: str) -> dict[str, Unit]:
    return dict.fromkeys(names.split(), unit)


# Names are compared in lower case; the micro sign and the Greek letter are both in use.
UNITS: Mapping[str, Unit] = MappingProxyType({
    **_named(Unit(symbol="nT", quantity="field", factor=1.0),
             "nt nanotesla nanoteslas gamma gammas nteslas ntesla"),
    **_named(Unit(symbol="uT", quantity="field", factor=1e3),
             "ut µt μt microtesla microteslas"),
    **_named(Unit(symbol="pT", quantity="field", factor=1e-3), "pt picotesla picoteslas"),
    **_named(Unit(symbol="mT", quantity="field", factor=1e6), "mt millitesla"),
    **_named(Unit(symbol="T", quantity="field", factor=1e9), "t tesla teslas"),
    **_named(Unit(symbol="gauss", quantity="field", factor=1e5), "gauss gs oersted"),
    **_named(Unit(symbol="mG", quantity="field", factor=1e2), "mg mgauss milligauss"),
    **_named(Unit(symbol="m", quantity="length", factor=1.0),
             "m metre metres meter meters mts mtrs"),
    **_named(Unit(symbol="ft", quantity="length", factor=0.3048), "ft feet foot"),
    **_named(Unit(symbol="km", quantity="length", factor=1e3),
             "km kilometre kilometres kilometer kilometers"),
    **_named(Unit(symbol="deg", quantity="angle", factor=1.0),
             "deg degree degrees dega dd decdeg °"),
    **_named(Unit(symbol="rad", quantity="angle", factor=57.29577951308232), "rad radian radians"),
    **_named(Unit(symbol="s", quantity="time", factor=1.0), "s sec secs second seconds"),
    **_named(Unit(symbol="ms", quantity="time", factor=1e-3), "ms msec millisecond milliseconds"),
    **_named(Unit(symbol="h", quantity="time", factor=3600.0), "h hr hrs hour hours"),
})  # fmt: skip

_BRACKETS = re.compile(r"[\[({]\s*([^\])}]+?)\s*[\])}]")
_SUFFIX = re.compile(r"_(nt|ut|pt|gamma|gammas|tesla|gauss|m|metres|meters|ft|km|deg|rad|s|sec|ms|hours)$", re.IGNORECASE)  # fmt: skip


def find_unit(text: str | None) -> Unit | None:
    """Look a unit up by any of its names; None where it is not known."""
    return None if text is None else UNITS.get(text.strip().strip("[](){} ").lower())


def unit_in_name(name: str) -> str | None:
    """Find a unit in a column's name: ``TMI (nT)``, ``height[m]``, ``total_field_nt``."""
    for inside in _BRACKETS.findall(name):
        if find_unit(inside) is not None:
            return str(inside)
    suffix = _SUFFIX.search(name)
    return None if suffix is None else suffix.group(1)
