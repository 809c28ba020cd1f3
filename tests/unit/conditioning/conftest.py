"""Small surveys over known sources, with the lines that conditioning needs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from quetzalcore.geophysics.quality import LineSummary, classify_lines
from quetzalcore.geophysics.survey import Floats, Survey

SPACING_M, STEP_M, LENGTH_M = 100.0, 10.0, 3000.0


def truth_nt(easting_m: Floats, northing_m: Floats) -> Floats:
    """Give a smooth field: four monopole-like sources, 180 to 400 m under the sensor."""
    total = np.zeros_like(easting_m)
    for east, north, depth, size in (
        (600.0, 500.0, 220.0, 60.0),
        (1500.0, 1100.0, 180.0, -40.0),
        (2300.0, 700.0, 250.0, 80.0),
        (1100.0, 1700.0, 400.0, 90.0),
    ):
        away = (easting_m - east) ** 2 + (northing_m - north) ** 2
        total += size * (1.0 + away / depth**2) ** -1.5
    return total


def fly(
    *, traverses: int = 21, ties: tuple[float, ...] = (303.0, 1203.0, 2103.0, 2703.0)
) -> Survey:
    """Fly traverses east and west by turns and ties north, over the smooth field."""
    along = np.arange(0.0, LENGTH_M + STEP_M, STEP_M)
    east, north = [], []
    for i in range(traverses):
        east.append(along if i % 2 == 0 else along[::-1])
        north.append(np.full(len(along), SPACING_M * i))
    climb = np.arange(-53.0, SPACING_M * (traverses - 1) + 60.0, STEP_M)
    for tie in ties:
        east.append(np.full(len(climb), tie))
        north.append(climb)
    number = np.repeat(np.arange(len(east)), [len(part) for part in east])
    easting, northing = np.concatenate(east), np.concatenate(north)
    return Survey(
        easting_m=easting,
        northing_m=northing,
        tmi_nt=truth_nt(easting, northing),
        line=number.astype(np.int32),
        line_names=tuple(f"L{i}" for i in range(len(east))),
    )


@pytest.fixture
def flown() -> Survey:
    """Give 21 traverses and four ties that agree."""
    return fly()


@pytest.fixture
def lines(flown: Survey) -> tuple[LineSummary, ...]:
    """Give the kinds of the flown survey's lines."""
    return classify_lines(flown)


@pytest.fixture
def flight() -> Callable[..., Survey]:
    """Fly another survey."""
    return fly


@pytest.fixture
def truth() -> Callable[[Floats, Floats], Floats]:
    """Give the field that was flown over."""
    return truth_nt
