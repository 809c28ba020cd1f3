"""Files to value objects and back: surveys, base stations, grids."""

from __future__ import annotations
