"""From scattered points to grids: block medians, minimum curvature, equivalent sources, blanking."""

from __future__ import annotations

from quetzalcore.geophysics.gridding.axes import default_cell_size, grid_axes
from quetzalcore.geophysics.gridding.blanking import blank
from quetzalcore.geophysics.gridding.blocks import BlockMedian, block_median
from quetzalcore.geophysics.gridding.curvature import Gridded, minimum_curvature
from quetzalcore.geophysics.gridding.sampling import sample
from quetzalcore.geophysics.gridding.sources import (
    EquivalentSources,
    SourceLayer,
    fit_equivalent_sources,
)

__all__ = [
    "BlockMedian",
    "EquivalentSources",
    "Gridded",
    "SourceLayer",
    "blank",
    "block_median",
    "default_cell_size",
    "fit_equivalent_sources",
    "grid_axes",
    "minimum_curvature",
    "sample",
]
