"""From raw readings to levelled ones: every step says what it changed, in nT."""

from __future__ import annotations

from quetzalcore.geophysics.conditioning.compensation import (
    Compensation,
    compensate,
    fit_compensation,
)
from quetzalcore.geophysics.conditioning.crossing import (
    Crossovers,
    CrossoverStats,
    crossover_stats,
    crossovers,
)
from quetzalcore.geophysics.conditioning.diurnal import BaseStation, correct_diurnal
from quetzalcore.geophysics.conditioning.gradients import (
    GradientKind,
    GradientResult,
    pseudo_lines,
    use_gradients,
)
from quetzalcore.geophysics.conditioning.heading import correct_heading
from quetzalcore.geophysics.conditioning.lag import correct_lag
from quetzalcore.geophysics.conditioning.levelling import (
    LevellingResult,
    LineCorrection,
    level_ties,
)
from quetzalcore.geophysics.conditioning.main_field import remove_main_field
from quetzalcore.geophysics.conditioning.microlevelling import microlevel
from quetzalcore.geophysics.conditioning.misfit import ErrorModel
from quetzalcore.geophysics.conditioning.spikes import despike
from quetzalcore.geophysics.conditioning.step import StepResult

__all__ = [
    "BaseStation",
    "Compensation",
    "CrossoverStats",
    "Crossovers",
    "ErrorModel",
    "GradientKind",
    "GradientResult",
    "LevellingResult",
    "LineCorrection",
    "StepResult",
    "compensate",
    "correct_diurnal",
    "correct_heading",
    "correct_lag",
    "crossover_stats",
    "crossovers",
    "despike",
    "fit_compensation",
    "level_ties",
    "microlevel",
    "pseudo_lines",
    "remove_main_field",
    "use_gradients",
]
