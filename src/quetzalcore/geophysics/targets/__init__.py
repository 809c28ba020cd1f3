"""From grids to drill targets: pick anomalies, describe them, rank them, lay holes."""

from __future__ import annotations

from quetzalcore.geophysics.targets.anomaly import (
    Anomaly,
    BodyShape,
    DepthEstimate,
    DepthMeaning,
    DepthSolutions,
    Polarity,
)
from quetzalcore.geophysics.targets.drilling import Collar, DrillHole, design_hole, hole_through
from quetzalcore.geophysics.targets.picking import CultureMask, pick_anomalies
from quetzalcore.geophysics.targets.ranking import (
    DrillTarget,
    Exclusion,
    Ranking,
    ScorePart,
    assess,
    classify,
    evidence_of,
    rank,
    score_parts,
)

__all__ = [
    "Anomaly",
    "BodyShape",
    "Collar",
    "CultureMask",
    "DepthEstimate",
    "DepthMeaning",
    "DepthSolutions",
    "DrillHole",
    "DrillTarget",
    "Exclusion",
    "Polarity",
    "Ranking",
    "ScorePart",
    "assess",
    "classify",
    "design_hole",
    "evidence_of",
    "hole_through",
    "pick_anomalies",
    "rank",
    "score_parts",
]
