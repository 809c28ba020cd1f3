"""What callers give as positions and sources, checked once and turned into columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quetzalcore.errors import BadParameter

__all__ = ["Precision", "points", "vectors"]

Array = NDArray[np.float64]
Precision = type[np.float32 | np.float64]


def points(
    easting_m: ArrayLike, northing_m: ArrayLike, upward_m: ArrayLike
) -> tuple[list[Array], tuple[int, ...]]:
    """Broadcast three coordinates against each other; return flat columns and their shape."""
    try:
        full = np.broadcast_arrays(
            *(np.asarray(c, dtype=np.float64) for c in (easting_m, northing_m, upward_m))
        )
    except ValueError as error:
        shapes = [np.shape(c) for c in (easting_m, northing_m, upward_m)]
        raise BadParameter(
            f"easting_m, northing_m and upward_m have shapes {shapes}",
            hint="give positions that broadcast to one shape",
        ) from error
    return [c.ravel() for c in full], full[0].shape


def vectors(values: ArrayLike, *, name: str, width: int, rows: int | None = None) -> Array:
    """Return ``values`` as (m, width) float64; one row is repeated to ``rows``."""
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if rows is not None and len(table) == 1:
        table = np.repeat(table, rows, axis=0)
    if table.ndim != 2 or table.shape[1] != width or (rows is not None and len(table) != rows):  # noqa: PLR2004 -- rows and columns
        wanted = "m" if rows is None else str(rows)
        raise BadParameter(
            f"{name} has shape {table.shape}", hint=f"give it the shape ({wanted}, {width})"
        )
    return table
