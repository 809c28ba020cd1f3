"""The command as a user types it, in this process, and small surveys to give it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from quetzalcore.cli import main


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str


Quetzal = Callable[..., Said]


@pytest.fixture
def quetzal(capsys: pytest.CaptureFixture[str]) -> Quetzal:
    """Run ``quetzal ARGUMENTS`` and collect what it says."""

    def run(*arguments: object) -> Said:
        try:
            main.run([str(argument) for argument in arguments])
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return Said(code=code, out=said.out, err=said.err)

    return run


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Columns of a small anomaly survey: six north-south lines over one body, 100 m apart."""

    line: np.ndarray
    easting: np.ndarray
    northing: np.ndarray
    longitude: np.ndarray
    latitude: np.ndarray
    tmi: np.ndarray

    def csv(self) -> str:
        """Give it as CSV with projected coordinates."""
        rows = zip(self.line, self.easting, self.northing, self.tmi, strict=True)
        return "line,easting,northing,tmi_anomaly_nt\n" + "\n".join(
            f"{line},{e:.1f},{n:.1f},{t:.3f}" for line, e, n, t in rows
        )


@pytest.fixture(scope="session")
def rows() -> Rows:
    """Make the small survey: 6 lines of 60 stations around 470,000 E, 7,560,000 N in zone 54 S."""
    lines, stations = 12, 60
    line = np.repeat(np.arange(lines), stations)
    east = 100.0 * line
    north = np.tile(20.0 * np.arange(stations), lines)
    r2 = (east - 520.0) ** 2 + (north - 610.0) ** 2 + 150.0**2
    tmi = 4e8 * (2 * 150.0**2 - (east - 520.0) ** 2 - (north - 610.0) ** 2) / r2**2.5
    noise = 0.05 * np.random.default_rng(3).normal(size=east.size)
    return Rows(
        line=line,
        easting=470_000 + east,
        northing=7_560_000 + north,
        longitude=140.7093 + east / 103_000,
        latitude=-22.0645 + north / 110_700,
        tmi=tmi + noise,
    )
