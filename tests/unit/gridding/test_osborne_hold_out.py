"""Held-out traverses of Osborne against the figures that GMT's blockmedian + surface was measured at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from benchmarks.osborne_holdout import read_hold_out

from quetzalcore.geophysics.gridding import grid_axes, minimum_curvature


@pytest.mark.slow
def test_28_held_out_traverses_come_out_better_than_gmt_gives_them(osborne_file: Path) -> None:
    """SCIENCE.md: 50 m grid, ties removed, every 10th traverse of each block from the 6th.

    GMT 6.4's blockmedian + surface (T = 0) gives 38.828 and 3.2216 nT on these nodes, sampled the
    same way (``python -m benchmarks osborne_holdout``); SCIENCE.md's 37.9 and 3.25 are of others.
    """
    assert osborne_file.exists()
    data = read_hold_out()
    assert (data.lines, len(data.test)) == (28, 93_376)
    both = np.concatenate([data.train, data.test])
    axes = grid_axes(both[:, 0], both[:, 1], cell_size_m=50.0)
    east, north, _, tmi = data.train.T.copy()
    rms, median = data.errors_nt(minimum_curvature(east, north, tmi, axes=axes, tension=0.0).grid)
    assert rms <= 38.828
    assert median <= 3.2216
