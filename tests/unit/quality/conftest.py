"""Small surveys with a known layout."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from quetzalcore.geophysics.survey import Floats, Survey

Path = tuple[Floats, Floats]


def straight(
    start: tuple[float, float], heading_deg: float, *, count: int, step_m: float = 10.0
) -> Path:
    along = step_m * np.arange(count)
    turn = np.radians(heading_deg)
    return start[0] + along * np.sin(turn), start[1] + along * np.cos(turn)


def joined(paths: list[Path], names: list[str] | None = None) -> Survey:
    number = np.repeat(np.arange(len(paths)), [len(path[0]) for path in paths])
    easting = np.concatenate([path[0] for path in paths])
    northing = np.concatenate([path[1] for path in paths])
    return Survey(
        easting_m=easting,
        northing_m=northing,
        tmi_nt=0.01 * easting + 20.0 * np.sin(northing / 300.0),
        line=number.astype(np.int32),
        line_names=tuple(names or [str(i) for i in range(len(paths))]),
    )


@pytest.fixture
def build() -> Callable[..., Survey]:
    """Join straight lines into a survey."""
    return joined


@pytest.fixture
def line() -> Callable[..., Path]:
    """Make one straight line."""
    return straight


@pytest.fixture
def block() -> Survey:
    """Give 12 traverses 100 m apart (alternating east and west, 1 km) and two ties across them."""
    paths = [
        straight(
            (0.0 if i % 2 == 0 else 1000.0, 100.0 * i), 90.0 if i % 2 == 0 else 270.0, count=101
        )
        for i in range(12)
    ]
    paths += [straight((x, -50.0), 0.0, count=121) for x in (303.0, 703.0)]
    return joined(paths)
