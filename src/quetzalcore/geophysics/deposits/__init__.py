"""Source classes, their petrophysics, and the probability of each given what a survey observed.

Magnetics constrain magnetisation, depth and geometry; they do not name a mineral or a grade. Every
probability from here carries the word "uncalibrated" until field labels support it.
"""

from __future__ import annotations

from quetzalcore.geophysics.deposits.calibration import (
    EvidenceNoise,
    Reliability,
    ReliabilityBin,
    brier_score,
    reliability,
    synthetic_geology,
    synthetic_reliability,
)
from quetzalcore.geophysics.deposits.discrimination import (
    ClassProbability,
    class_probabilities,
    discriminate,
    discriminate_all,
)
from quetzalcore.geophysics.deposits.evidence import Evidence
from quetzalcore.geophysics.deposits.petrophysics import (
    CULTURAL,
    GEOMETRIES,
    UNKNOWN,
    Lognormal,
    Petrophysics,
    Prior,
    Rock,
    SourceClass,
    load_priors,
)

__all__ = [
    "CULTURAL",
    "GEOMETRIES",
    "UNKNOWN",
    "ClassProbability",
    "Evidence",
    "EvidenceNoise",
    "Lognormal",
    "Petrophysics",
    "Prior",
    "Reliability",
    "ReliabilityBin",
    "Rock",
    "SourceClass",
    "brier_score",
    "class_probabilities",
    "discriminate",
    "discriminate_all",
    "load_priors",
    "reliability",
    "synthetic_geology",
    "synthetic_reliability",
]
