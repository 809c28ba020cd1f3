"""What every reader gives: a layout, and batches of columns with their row numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from quetzalcore.formats.rejects import Rejects
from quetzalcore.geophysics.survey import Floats

__all__ = ["Batch", "Column", "Layout", "Rows", "TableReader", "Wanted"]

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column as the file describes it.

    Parameters
    ----------
    name : str
        As in the file.
    alias : str
        A second, longer name that some formats give.
    unit : str or None
        As the file or the name says it.
    numeric : bool
        Whether it holds numbers.
    missing : tuple of float
        Values that the file declares as "no data".
    """

    name: str
    alias: str = ""
    unit: str | None = None
    numeric: bool = True
    missing: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How a file is built. ``header_row`` counts from 1; None means that there is none."""

    format: str
    compression: str
    columns: tuple[Column, ...]
    delimiter: str | None = None
    encoding: str | None = None
    header_row: int | None = None
    crs: str | None = None
    notes: tuple[str, ...] = ()

    def column(self, name: str) -> Column | None:
        """Find a column by its exact name."""
        return next((column for column in self.columns if column.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to read: numbers, texts, and of the numbers those without which a row is of no use."""

    numbers: tuple[str, ...]
    texts: tuple[str, ...] = ()
    needed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Some rows of a table, all columns of length n.

    Parameters
    ----------
    rows : (n,) int64
        Row numbers in the file, from 1.
    numbers : mapping of str to (n,) float64
        NaN means missing.
    texts : mapping of str to pyarrow array of n strings
        Null means missing.
    """

    rows: Rows
    numbers: Mapping[str, Floats]
    texts: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.rows)


class TableReader(Protocol):
    """One format."""

    @property
    def layout(self) -> Layout:
        """How the file is built."""
        ...

    def batches(self, wanted: Wanted, rejects: Rejects) -> Iterator[Batch]:
        """Read the wanted columns; rows that do not parse go to ``rejects``."""
        ...
