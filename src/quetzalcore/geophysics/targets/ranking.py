"""Rank anomalies into drill targets by a score whose every part is named."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from quetzalcore.errors import BadParameter
from quetzalcore.geophysics.deposits import (
    CULTURAL,
    UNKNOWN,
    ClassProbability,
    Evidence,
    Petrophysics,
    Prior,
    discriminate_all,
    load_priors,
)
from quetzalcore.geophysics.targets.anomaly import Anomaly, BodyShape
from quetzalcore.geophysics.targets.drilling import Collar, DrillHole, design_hole

__all__ = [
    "DrillTarget",
    "Exclusion",
    "Ranking",
    "ScorePart",
    "assess",
    "classify",
    "evidence_of",
    "rank",
    "score_parts",
]

_GEOMETRY = {
    BodyShape.BALL: "equant",
    BodyShape.BLOCK: "equant",
    BodyShape.PIPE: "pipe",
    BodyShape.SHEET: "sheet",
    BodyShape.UNRESOLVED: "",
}
_HALF_DEPTH_M = 300.0  # a target this deep is worth half of one at the surface
_STRONG_DECADES = 3.0  # an anomaly 1000 times the least one scores full marks
_FULL_AREA_M2 = 250_000.0
_Z90 = 1.2815515655446004


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorePart:
    """One component of a score: its value from 0 to 1 and its weight."""

    name: str
    value: float
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillTarget:
    """One ranked target. The caller adds elevation, longitude and latitude.

    Depths are below the anomaly's depth reference; the hole starts there.
    """

    rank: int
    anomaly: Anomaly
    score: float
    score_parts: tuple[ScorePart, ...]
    source_classes: tuple[ClassProbability, ...]
    hole: DrillHole
    reasons: tuple[str, ...]

    @property
    def easting_m(self) -> float:
        """Easting of the source, metres."""
        return self.anomaly.easting_m

    @property
    def northing_m(self) -> float:
        """Northing of the source, metres."""
        return self.anomaly.northing_m

    @property
    def depth_m(self) -> float:
        """Depth below the reference, metres."""
        return self.anomaly.depth_m

    @property
    def depth_interval_m(self) -> tuple[float, float]:
        """Shallow and deep end of the depth interval, metres."""
        return self.anomaly.depth_interval_m

    @property
    def anomaly_nt(self) -> float:
        """Highest minus lowest total field, nT."""
        return self.anomaly.amplitude_nt

    @property
    def collar(self) -> Collar:
        """Where the hole starts."""
        return self.hole.collar

    @property
    def azimuth_deg(self) -> float:
        """Azimuth of the hole from grid north, degrees."""
        return self.hole.azimuth_deg

    @property
    def dip_deg(self) -> float:
        """Dip of the hole, degrees, negative down."""
        return self.hole.dip_deg

    @property
    def hole_length_m(self) -> float:
        """Length along the hole, metres."""
        return self.hole.length_m


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """An anomaly that is no target, and why."""

    anomaly_id: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Targets in order, and every anomaly that is not among them with its reason."""

    targets: tuple[DrillTarget, ...]
    excluded: tuple[Exclusion, ...]


def evidence_of(anomalies: Sequence[Anomaly]) -> Evidence:
    """Put what was found out about anomalies into the terms of :mod:`..deposits`."""
    return Evidence(
        apparent_susceptibility_si=[each.susceptibility_si for each in anomalies],
        susceptibility_sigma_dex=[_sigma_dex(each) for each in anomalies],
        magnetization_angle_deg=[each.remanence_angle_deg for each in anomalies],
        angle_sigma_deg=[each.remanence_angle_sigma_deg for each in anomalies],
        width_m=[each.source_width_m for each in anomalies],
        length_m=[each.source_length_m for each in anomalies],
        depth_m=[each.depth_m for each in anomalies],
        culture=[float(each.culture) for each in anomalies],
        geometry=[_GEOMETRY[each.shape] for each in anomalies],
    )


def classify(
    anomalies: Sequence[Anomaly],
    *,
    petrophysics: Petrophysics | None = None,
    prior: Prior | None = None,
) -> tuple[tuple[ClassProbability, ...], ...]:
    """Return each anomaly's source classes, most probable first; by default with the base prior."""
    if not anomalies:
        return ()
    table = petrophysics or load_priors()
    return discriminate_all(evidence_of(anomalies), table, prior=prior or table.with_prior())


def rank(
    anomalies: Sequence[Anomaly],
    discrimination: Sequence[Sequence[ClassProbability]],
    *,
    top_n: int = 20,
    min_anomaly_nt: float = 0.0,
    commodity: str | None = None,
    petrophysics: Petrophysics | None = None,
) -> tuple[DrillTarget, ...]:
    """Return the targets of :func:`assess`, without what was left out."""
    return assess(
        anomalies,
        discrimination,
        top_n=top_n,
        min_anomaly_nt=min_anomaly_nt,
        commodity=commodity,
        petrophysics=petrophysics,
    ).targets


def assess(
    anomalies: Sequence[Anomaly],
    discrimination: Sequence[Sequence[ClassProbability]],
    *,
    top_n: int = 20,
    min_anomaly_nt: float = 0.0,
    commodity: str | None = None,
    petrophysics: Petrophysics | None = None,
) -> Ranking:
    """Score and order anomalies, design a hole for each, and list what was left out and why.

    Parameters
    ----------
    anomalies : sequence of Anomaly
    discrimination : sequence of sequences of ClassProbability
        One for each anomaly, from :func:`classify`.
    top_n : int
        At most so many targets.
    min_anomaly_nt : float
        Weaker anomalies are excluded.
    commodity : str, optional
        Classes that host it count as interesting; without it every class that hosts any does.
    petrophysics : Petrophysics, optional
        Says which class hosts what; by default the package's own.

    Raises
    ------
    BadParameter
        If the two sequences differ in length, or ``top_n`` is below 1.

    Notes
    -----
    The score is the weighted geometric mean of the parts, so that a target that fails in one is not
    saved by the others.
    """
    if len(anomalies) != len(discrimination) or top_n < 1:
        raise BadParameter(
            f"{len(anomalies)} anomalies, {len(discrimination)} discriminations, top_n {top_n}",
            hint="give one discrimination for each anomaly, and top_n of at least 1",
        )
    wanted = _hosts(petrophysics or load_priors(), commodity)
    excluded, scored = [], []
    for anomaly, classes in zip(anomalies, discrimination, strict=True):
        reason = _why_not(anomaly, classes, min_anomaly_nt)
        if reason is not None:
            excluded.append(Exclusion(anomaly_id=anomaly.id, reason=reason))
            continue
        parts = score_parts(anomaly, classes, wanted=wanted, least_nt=min_anomaly_nt)
        scored.append((_score(parts), parts, anomaly, tuple(classes)))
    scored.sort(key=lambda row: (-row[0], row[2].id))
    excluded += [
        Exclusion(anomaly_id=anomaly.id, reason=f"ranks below the {top_n} that were asked for")
        for _, _, anomaly, _ in scored[top_n:]
    ]
    targets = tuple(
        _target(place, score, parts, anomaly, classes)
        for place, (score, parts, anomaly, classes) in enumerate(scored[:top_n], start=1)
    )
    return Ranking(targets=targets, excluded=tuple(excluded))


def score_parts(
    anomaly: Anomaly,
    classes: Sequence[ClassProbability],
    *,
    wanted: frozenset[str],
    least_nt: float,
) -> tuple[ScorePart, ...]:
    """Return the named components of an anomaly's score, each from 0 to 1."""
    shallow, deep = anomaly.depth_interval_m
    interest = sum(each.probability for each in classes if each.name in wanted)
    strength = math.log10(max(anomaly.amplitude_nt / max(least_nt, 10.0), 1.0)) / _STRONG_DECADES
    return (
        ScorePart(name="interesting source classes", value=_part(interest), weight=3.0),
        ScorePart(name="amplitude", value=_part(strength), weight=2.0),
        ScorePart(
            name="shallow depth", value=_part(1.0 / (1.0 + anomaly.depth_m / _HALF_DEPTH_M)),
            weight=1.0,
        ),
        ScorePart(name="certainty of depth", value=_part(shallow / deep), weight=0.5),
        ScorePart(name="fit of a simple body", value=_part(anomaly.fit), weight=1.0),
        ScorePart(
            name="size", value=_part(math.sqrt(anomaly.area_m2 / _FULL_AREA_M2)), weight=0.5
        ),
    )  # fmt: skip


def _part(value: float) -> float:
    return min(max(value, 0.01), 1.0)


def _score(parts: Sequence[ScorePart]) -> float:
    total = sum(part.weight for part in parts)
    return math.exp(sum(part.weight * math.log(part.value) for part in parts) / total)


def _hosts(petrophysics: Petrophysics, commodity: str | None) -> frozenset[str]:
    petrophysics.with_prior(commodity=commodity)  # refuses a commodity that no row names
    return frozenset(
        each.name
        for each in petrophysics.classes
        if (each.commodities if commodity is None else commodity in each.commodities)
    )


def _why_not(
    anomaly: Anomaly, classes: Sequence[ClassProbability], min_anomaly_nt: float
) -> str | None:
    if anomaly.culture:
        return "quality control flags culture here"
    if anomaly.is_flank:
        return "it is the flank of a stronger neighbour: no body of its own explains it"
    if classes[0].name == CULTURAL:
        return f"its source is most likely cultural ({100 * classes[0].probability:.0f} %)"
    if anomaly.amplitude_nt < min_anomaly_nt:
        return f"{anomaly.amplitude_nt:.0f} nT is below the least of {min_anomaly_nt:.0f} nT"
    return None


def _target(
    place: int,
    score: float,
    parts: tuple[ScorePart, ...],
    anomaly: Anomaly,
    classes: tuple[ClassProbability, ...],
) -> DrillTarget:
    hole = design_hole(anomaly)
    return DrillTarget(
        rank=place,
        anomaly=anomaly,
        score=score,
        score_parts=parts,
        source_classes=classes,
        hole=hole,
        reasons=(*_class_reasons(classes), *_part_reasons(parts), *anomaly.reasons, *hole.reasons),
    )


def _class_reasons(classes: Sequence[ClassProbability]) -> tuple[str, ...]:
    best = classes[0]
    words = "of unknown source" if best.name == UNKNOWN else best.name.replace("_", " ")
    return (f"most likely {words} ({100 * best.probability:.0f} %, {best.status})",)


def _part_reasons(parts: Sequence[ScorePart]) -> tuple[str, ...]:
    ordered = sorted(parts, key=lambda part: part.weight * math.log(part.value))
    return (f"held back by {ordered[0].name} ({ordered[0].value:.2f})",)


def _sigma_dex(anomaly: Anomaly) -> float:
    low, high = anomaly.susceptibility_interval_si
    if not (math.isfinite(low) and low > 0.0):
        return float("nan")
    return max(math.log10(high / low) / (2.0 * _Z90), 0.05)
