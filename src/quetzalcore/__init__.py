"""QuetzalCore: from a raw magnetic survey to grids, depths, models and ranked drill targets."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
