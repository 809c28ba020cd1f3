"""Small survey files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

HEADER = "line,longitude,latitude,height_orthometric_m,tmi_nt"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a file and give its path."""

    def writer(content: str | bytes, name: str = "survey.csv") -> Path:
        path = tmp_path / name
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(data)
        return path

    return writer


@pytest.fixture
def rows() -> Callable[..., list[str]]:
    """Make rows of a few lines near 140.5 E, 21.9 S, under the usual header."""

    def make(count: int = 20, *, lines: int = 2) -> list[str]:
        return [
            f"{100 + 10 * line},{140.5 + 0.001 * k:.4f},{-21.9 + 0.002 * line:.4f},{360 + k},{k - 120.5}"
            for line in range(lines)
            for k in range(count // lines)
        ]

    return make


@pytest.fixture
def table(rows: Callable[..., list[str]]) -> Callable[..., str]:
    """Make a whole small CSV."""

    def make(count: int = 20, *, lines: int = 2) -> str:
        return "\n".join([HEADER, *rows(count, lines=lines)]) + "\n"

    return make
