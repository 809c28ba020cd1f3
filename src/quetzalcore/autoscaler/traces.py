"""Loads to replay: read from a CSV, or made up from a seed."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from quetzalcore.errors import BadParameter, Where
from quetzalcore.jobs.model import Resources
from quetzalcore.settings import validated

__all__ = ["MADE_UP", "Trace", "TraceJobSize", "made_up", "read_trace"]

Floats = NDArray[np.float64]

_MOST_JOBS = 5_000_000
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceJobSize:
    """What one sort of job asks for; ``spot`` if losing its machine does it no harm."""

    resources: Resources
    spot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """Jobs in the order of their arrival.

    Parameters
    ----------
    submitted_s, duration_s : (n,) float64
        When each arrives, from the trace's beginning, and how long it runs on a machine, seconds.
    size : (n,) int64
        Which of ``sizes`` it has.
    """

    name: str
    submitted_s: Floats
    duration_s: Floats
    size: NDArray[np.int64]
    sizes: tuple[TraceJobSize, ...]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    submitted_s: float = Field(ge=0)
    duration_s: float = Field(gt=0)
    cpus: float = Field(default=1.0, gt=0)
    memory_mib: int = Field(default=512, gt=0)
    vgpus: int = Field(default=0, ge=0)
    spot: bool = False
    count: int = Field(default=1, ge=1, le=_MOST_JOBS)


def read_trace(text: str, *, source: str) -> Trace:
    """Read a CSV with a header of ``submitted_s, duration_s`` and maybe ``cpus, memory_mib, vgpus, spot, count``.

    Raises
    ------
    BadParameter
        Naming the row and the column that cannot be read.
    """
    where = Where(file=source)
    hint = "begin with a header like submitted_s,duration_s,cpus,memory_mib,vgpus,spot,count"
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), skipinitialspace=True)
    if not {"submitted_s", "duration_s"} <= set(reader.fieldnames or ()):
        raise BadParameter("submitted_s and duration_s are missing", hint=hint, where=where)
    sizes: dict[TraceJobSize, int] = {}
    submitted_s: list[float] = []
    duration_s: list[float] = []
    places: list[int] = []
    counts: list[int] = []
    for number, values in enumerate(reader, start=2):
        if None in values:
            raise BadParameter(
                f"row {number} has more cells than the header", hint=hint, where=where
            )
        given = {name: value for name, value in values.items() if value}
        row = validated(_Row, given, source=f"{source}, row {number}")
        asked = Resources(cpus=row.cpus, memory_mib=row.memory_mib, vgpus=row.vgpus, scratch_mib=0)
        size = TraceJobSize(resources=asked, spot=row.spot)
        place = sizes.setdefault(size, len(sizes))
        submitted_s.append(row.submitted_s)
        duration_s.append(row.duration_s)
        places.append(place)
        counts.append(row.count)
    repeats = np.array(counts, dtype=np.int64)
    if not 0 < repeats.sum() <= _MOST_JOBS:
        raise BadParameter(
            f"it has {int(repeats.sum())} jobs", hint=f"give 1 to {_MOST_JOBS:,} jobs", where=where
        )
    return _sorted(
        source,
        np.repeat(np.array(submitted_s), repeats),
        np.repeat(np.array(duration_s), repeats),
        np.repeat(np.array(places, dtype=np.int64), repeats),
        tuple(sizes),
    )


_SIZES = tuple(
    TraceJobSize(
        resources=Resources(cpus=cpus, memory_mib=memory_mib, vgpus=vgpus, scratch_mib=0), spot=spot
    )
    for cpus, memory_mib, vgpus, spot in (
        (1.0, 2048, 0, True),
        (2.0, 4096, 0, False),
        (4.0, 8192, 0, False),
        (8.0, 16384, 1, False),
    )
)
_SHARES = (0.6, 0.25, 0.12, 0.03)


def made_up(name: str, *, jobs: int, hours: float, rng: np.random.Generator) -> Trace:
    """Make up a load: ``bursty``, ``diurnal`` or ``heavy-tailed``; the same generator gives the same load.

    Raises
    ------
    BadParameter
        If there is no such load, or it would be empty or too large.
    """
    if name not in MADE_UP:
        raise BadParameter(
            f"there is no made-up load {name!r}", hint=f"choose from {', '.join(MADE_UP)}"
        )
    if not 1 <= jobs <= _MOST_JOBS or not 0 < hours < math.inf:
        raise BadParameter(
            f"it is {jobs} jobs in {hours:g} hours",
            hint=f"give 1 to {_MOST_JOBS:,} jobs and a time above 0",
        )
    submitted_s, duration_s = MADE_UP[name](jobs, 3600.0 * hours, rng)
    size = rng.choice(len(_SIZES), size=jobs, p=_SHARES).astype(np.int64)
    return _sorted(name, submitted_s, duration_s, size, _SIZES)


def _bursty(jobs: int, span_s: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Nine in ten jobs come in bursts about two hours apart, each within some minutes; jobs of about two minutes."""
    bursts = max(1, round(span_s / 7200.0))
    begins = np.sort(rng.uniform(0.0, 0.95 * span_s, bursts))
    weights = rng.lognormal(0.0, 0.6, bursts)
    which = rng.choice(bursts, size=jobs, p=weights / weights.sum())
    burst_s = begins[which] + rng.exponential(120.0, jobs)
    quiet = rng.random(jobs) < 0.1  # noqa: PLR2004 -- one in ten
    submitted_s = np.where(quiet, rng.uniform(0.0, span_s, jobs), burst_s)
    return submitted_s, rng.lognormal(math.log(120.0), 0.7, jobs)


def _diurnal(jobs: int, span_s: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Work by day: the rate follows the sun above a tenth of its mean; jobs of about five minutes."""
    times = np.linspace(0.0, span_s, max(1000, round(span_s / 60.0)))
    rate = 0.1 + np.maximum(0.0, -np.cos(2.0 * np.pi * times / _DAY_S)) ** 1.5
    total = np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2.0)])
    submitted_s = np.interp(rng.random(jobs) * total[-1], total, times)
    return submitted_s, rng.lognormal(math.log(300.0), 0.5, jobs)


def _heavy_tailed(jobs: int, span_s: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Clumps and long gaps, most jobs short and some of hours: both by Pareto's law."""
    gaps = rng.pareto(1.3, jobs) + 1e-3
    submitted_s = np.cumsum(gaps)
    submitted_s *= span_s / submitted_s[-1]
    return submitted_s, np.minimum(20.0 * (1.0 + rng.pareto(1.2, jobs)), 4.0 * 3600.0)


MADE_UP: Mapping[str, Callable[[int, float, np.random.Generator], tuple[Any, Any]]] = {
    "bursty": _bursty,
    "diurnal": _diurnal,
    "heavy-tailed": _heavy_tailed,
}


def _sorted(
    name: str,
    submitted_s: Floats,
    duration_s: Floats,
    size: NDArray[np.int64],
    sizes: tuple[TraceJobSize, ...],
) -> Trace:
    order = np.argsort(submitted_s, kind="stable")
    return Trace(
        name=name,
        submitted_s=submitted_s[order],
        duration_s=duration_s[order],
        size=size[order],
        sizes=sizes,
    )
