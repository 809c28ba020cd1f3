"""What was found beside what is known to be there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from quetzalcore.geophysics import simulation
from quetzalcore.geophysics.simulation import FoundTargets, TrueBody
from quetzalcore.geophysics.targets import BodyShape
from quetzalcore.reporting import BodyComparison, MapOverlay, TrueBodies
from quetzalcore.workloads.json_document import to_json
from quetzalcore.workloads.mag_survey.target_finding import TargetSet

__all__ = ["Comparison", "compare_with_truth"]

_CENTRED = frozenset({BodyShape.BALL})  # its depth is to the middle
_RING_M = 40.0  # drawn radius of a body that has no length


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a known truth adds to maps and report."""

    overlays: tuple[MapOverlay, ...]
    rows: tuple[BodyComparison, ...]
    stray_targets: int  # that lie near none of the bodies

    def document(self) -> dict[str, Any]:
        """Give it as the result tells it."""
        found = sum(row.found_rank is not None for row in self.rows)
        return {"found": found, "stray_targets": self.stray_targets, "bodies": to_json(self.rows)}


def _truth_rows(
    bodies: tuple[TrueBody, ...], found: TargetSet
) -> tuple[simulation.Comparison, tuple[BodyComparison, ...]]:
    """Set each true body beside the nearest target; depths are below ground."""
    drill = found.drill
    compared = simulation.compare(
        bodies,
        FoundTargets(
            easting_m=np.array([t.easting_m for t in drill]),
            northing_m=np.array([t.northing_m for t in drill]),
            depth_m=np.array([t.depth_m for t in drill]),
            depth_low_m=np.array([t.depth_interval_m[0] for t in drill]),
            depth_high_m=np.array([t.depth_interval_m[1] for t in drill]),
            to_centre=np.array([t.anomaly.shape in _CENTRED for t in drill], dtype=bool),
        ),
    )
    rows = tuple(
        BodyComparison(
            name=f"{row.name} ({row.kind})",
            true_easting_m=body.easting_m,
            true_northing_m=body.northing_m,
            true_depth_m=row.depth_true_m,
            found_rank=None if row.target is None else drill[row.target].rank,
            offset_m=None if row.target is None else row.distance_m,
            found_depth_m=None if row.target is None else row.depth_found_m,
            note=_note(row),
        )
        for row, body in zip(compared.rows, bodies, strict=True)
    )
    return compared, rows


def compare_with_truth(bodies: tuple[TrueBody, ...], found: TargetSet) -> Comparison:
    """Give what the truth adds to the maps and the report of a run."""
    rings = tuple(_ring(body) for body in bodies)
    compared, rows = _truth_rows(bodies, found)
    return Comparison(
        overlays=(TrueBodies(rings=rings, names=tuple(body.name for body in bodies)),),
        rows=rows,
        stray_targets=len(compared.false_targets),
    )


def _note(row: simulation.BodyRow) -> str:
    if row.target is None:
        return f"not found ({row.amplitude_nt:.0f} nT)"
    interval = f"{row.depth_low_m:.0f} to {row.depth_high_m:.0f} m"
    what = "centre" if row.to_centre else "top"
    return f"{what} {'inside' if row.inside_interval else 'outside'} {interval}"


def _ring(body: TrueBody) -> np.ndarray:
    """Draw a rectangle along strike around the middle of the body's top, closed, (5, 2) m."""
    strike = np.radians(body.strike_deg)
    along = np.array([np.sin(strike), np.cos(strike)]) * max(body.length_m / 2.0, _RING_M)
    across = np.array([np.cos(strike), -np.sin(strike)]) * _RING_M
    corners = [along + across, along - across, -along - across, -along + across, along + across]
    return np.array([body.easting_m, body.northing_m]) + np.array(corners)
