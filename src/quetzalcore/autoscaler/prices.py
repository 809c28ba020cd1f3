"""The price list: which sizes of machines there are and what an hour of them costs."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

from quetzalcore.autoscaler.fitting import by_price
from quetzalcore.autoscaler.model import Shape
from quetzalcore.errors import BadParameter, Where
from quetzalcore.settings import validated

__all__ = ["PriceList", "read_prices"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceList:
    """Shapes, the cheapest first; prices are in ``currency`` an hour."""

    shapes: tuple[Shape, ...]
    currency: str


class _Entry(BaseModel):
    """One size; with ``spot_hourly_price`` it also comes as a machine that may be taken away."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=100)
    cpus: float = Field(gt=0)
    memory_mib: int = Field(gt=0)
    vgpus: int = Field(default=0, ge=0)
    scratch_mib: int = Field(default=0, ge=0)
    hourly_price: float = Field(ge=0)
    spot_hourly_price: float | None = Field(default=None, ge=0)


class _List(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid")

    currency: str = Field(default="USD", min_length=1, max_length=10)
    shapes: tuple[_Entry, ...] = Field(min_length=1)


def read_prices(text: str | None = None, *, source: str = "the price list") -> PriceList:
    """Read a price list; without a text the one that comes with us.

    Raises
    ------
    BadParameter
        If it is no TOML, lacks a field, has an unknown one or a number out of range, or names a shape twice.
    """
    where = Where(file=source)
    try:
        values = tomllib.loads(_own() if text is None else text)
    except tomllib.TOMLDecodeError as error:
        raise BadParameter(
            f"it is not TOML ({error})", hint="start from a copy of prices.toml", where=where
        ) from None
    read = validated(_List, values, source=source)
    shapes = [shape for entry in read.shapes for shape in _shapes(entry)]
    names = [shape.name for shape in shapes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadParameter(
            f"there are two shapes named {twice[0]}", hint="give each its own name", where=where
        )
    return PriceList(shapes=tuple(by_price(shapes)), currency=read.currency)


def _own() -> str:
    return files("quetzalcore.autoscaler").joinpath("prices.toml").read_text("utf-8")


def _shapes(entry: _Entry) -> list[Shape]:
    plain = Shape(**entry.model_dump(exclude={"spot_hourly_price"}))
    if entry.spot_hourly_price is None:
        return [plain]
    spot = replace(
        plain, name=f"{plain.name}-spot", hourly_price=entry.spot_hourly_price, spot=True
    )
    return [plain, spot]
