"""What a module did to numbers: statistics before and after."""

from __future__ import annotations

from typing import Any

import numpy as np

from quetzalcore.geophysics.survey import Floats

__all__ = ["change", "statistics"]


def statistics(values: Floats) -> dict[str, float | int | None]:
    """Count, least, mean and greatest of what is there; None where nothing is."""
    known = values[np.isfinite(values)]
    if not len(known):
        return {"count": 0, "minimum": None, "mean": None, "maximum": None}
    return {
        "count": len(known),
        "minimum": float(known.min()),
        "mean": float(known.mean()),
        "maximum": float(known.max()),
    }


def change(name: str, before: Floats, after: Floats) -> dict[str, Any]:
    """Set a column before beside itself after; changes are counted where either is there."""
    both = np.isfinite(before) & np.isfinite(after)
    step = after[both] - before[both]
    appeared = np.isfinite(after) & ~np.isfinite(before)
    vanished = np.isfinite(before) & ~np.isfinite(after)
    return {
        "name": name,
        "before": statistics(before),
        "after": statistics(after),
        "changed": int(np.count_nonzero(step)) + int(appeared.sum()) + int(vanished.sum()),
        "rms_change": float(np.sqrt(np.mean(step**2))) if len(step) else 0.0,
        "max_change": float(np.abs(step).max(initial=0.0)),
        "appeared": int(appeared.sum()),
        "vanished": int(vanished.sum()),
    }
