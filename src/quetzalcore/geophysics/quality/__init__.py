"""What a survey is worth: lines and ties, gaps, duplicates, spikes, noise, spacing, culture."""

from __future__ import annotations

from quetzalcore.geophysics.quality.clearance import measured_clearance
from quetzalcore.geophysics.quality.coverage import Gap
from quetzalcore.geophysics.quality.culture import GROUND_CLEARANCES, CultureFlag, CultureKind
from quetzalcore.geophysics.quality.lines import LineKind, LineSummary, classify_lines
from quetzalcore.geophysics.quality.report import QualityReport, assess
from quetzalcore.geophysics.quality.spacing import BlockSpacing
from quetzalcore.geophysics.quality.splitting import split_lines

__all__ = [
    "GROUND_CLEARANCES",
    "BlockSpacing",
    "CultureFlag",
    "CultureKind",
    "Gap",
    "LineKind",
    "LineSummary",
    "QualityReport",
    "assess",
    "classify_lines",
    "measured_clearance",
    "split_lines",
]
