"""Signs of culture (fences, pipelines, buildings): flagged for the eye, never deleted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from quetzalcore.geophysics.quality.alignment import Crossings, aligned
from quetzalcore.geophysics.quality.blocks import LineBlocks, average_blocks
from quetzalcore.geophysics.quality.bursts import Bursts, find_bursts
from quetzalcore.geophysics.quality.clearance import Clearance
from quetzalcore.geophysics.quality.geometry import Runs
from quetzalcore.geophysics.survey import Bools, Floats, Survey

__all__ = ["GROUND_CLEARANCES", "CultureFlag", "CultureKind", "flag_culture"]

_BLOCKS_PER_CLEARANCE = 4.0
_COARSEST = 2.0  # blocks in a clearance: with fewer, what lies at the ground cannot be told
GROUND_CLEARANCES = 1.4  # clearances: iron beside the line is farther away than straight down
_LEAST_NT = 1.0
_FARTHEST = 3.9  # expected distances: at 4, the last that is tried, a source may be at any depth
_CLEAR_FIT, _CLEARLY_NEARER = 0.7, 10.0  # of a burst that counts on its own
_FAIR_FIT = 0.5  # of one that counts among others in a row
_FEWEST_CLEAR, _FEWEST_FAIR = 4, 7  # lines that a linear feature must cross
_LOBES = 2.5  # clearances: bursts as near as this to a larger one of their line are its flanks


class CultureKind(StrEnum):
    """What a burst of short wavelengths may be."""

    ISOLATED = "isolated"
    LINEAR = "linear"


@dataclass(frozen=True, slots=True, kw_only=True)
class CultureFlag:
    """A short anomaly whose source lies about at the ground.

    Parameters
    ----------
    kind : CultureKind
        ``linear`` where neighbouring lines show the like in a row.
    line : str
        Name of the line.
    first_row, last_row : int
        Rows (from 0), inclusive, within one source distance of its middle.
    easting_m, northing_m : float
        Its middle, metres.
    amplitude_nt : float
        Highest minus lowest, without the trend around it, nT.
    distance_m : float
        From the sensor to a compact source that fits, metres, as it looks along the line: a long
        source that is crossed at an angle is nearer.
    """

    kind: CultureKind
    line: str
    first_row: int
    last_row: int
    easting_m: float
    northing_m: float
    amplitude_nt: float
    distance_m: float


def flag_culture(
    survey: Survey,
    pieces: Runs,
    *,
    clearance: Clearance,
    spikes: NDArray[np.intp],
    line_spacing_m: float,
) -> tuple[CultureFlag, ...]:
    """Flag short anomalies whose sources lie about at the ground, and say which line up.

    Readings are averaged over a quarter of the clearance, and compact sources are fitted to short
    anomalies (:func:`~quetzalcore.geophysics.quality.bursts.find_bursts`). A burst is flagged where
    its source is within 1.4 clearances of the sensor and fits clearly, and clearly better than any
    deeper one. It is ``linear`` where four lines or more show such bursts along a straight line
    (:func:`~quetzalcore.geophysics.quality.alignment.aligned`). Weaker ones are flagged only where
    seven lines or more show them along a straight line.

    A thin dyke or a lens that crops out looks the same: a flag asks for a look at a map of roads,
    fences and pipelines, no more. Nothing is found where stations are farther apart than half the
    clearance, nor within 3.5 clearances of the ends of lines.

    Parameters
    ----------
    survey : Survey
        NaN readings are left out.
    pieces : Runs
        Runs without gaps.
    clearance : Clearance
        Height of the sensor above the ground.
    spikes : (s,) intp
        Rows whose readings are wrong: left out.
    line_spacing_m : float
        Distance between lines, metres; NaN: nothing is called linear.
    """
    usable = np.isfinite(survey.tmi_nt)
    usable[spikes] = False
    expected = clearance.usual_m
    block = max(expected / _BLOCKS_PER_CLEARANCE, _station_m(pieces))
    if block * _COARSEST > expected or not usable.any():
        return ()
    blocks = average_blocks(survey, pieces, usable=usable, block_m=block)
    bursts = find_bursts(blocks, expected_m=expected)
    bursts = bursts.only(
        (bursts.explained > _FAIR_FIT)
        & (bursts.amplitude_nt > _LEAST_NT)
        & (bursts.distance_m < _FARTHEST * expected)
    )
    at = _Track.of(blocks, bursts, pieces)
    limit = GROUND_CLEARANCES * clearance.of_rows_m[at.row]
    clear = _is_clear(bursts, limit)
    crossings = Crossings(
        easting_m=survey.easting_m[at.row],
        northing_m=survey.northing_m[at.row],
        line=survey.line[at.row],
        heading_deg=pieces.heading_deg[at.piece],
        distance_m=bursts.distance_m,
        limit_m=limit,
    )
    linear = _is_linear(crossings, clear, line_spacing_m=line_spacing_m, width_m=expected / 2.0)
    kept = _largest(bursts, at, clear | linear, apart_m=_LOBES * expected)
    return tuple(
        _flag(
            survey,
            at,
            bursts,
            int(i),
            kind=CultureKind.LINEAR if linear[i] else CultureKind.ISOLATED,
        )
        for i in np.flatnonzero(kept)
    )


def _is_linear(
    crossings: Crossings, clear: Bools, *, line_spacing_m: float, width_m: float
) -> Bools:
    """Tell which bursts line up: with a few clear ones, or with many of any kind, (k,) bool."""
    linear = aligned(
        crossings, line_spacing_m=line_spacing_m, width_m=width_m, fewest_lines=_FEWEST_FAIR
    )
    linear[clear] |= aligned(
        crossings.only(clear),
        line_spacing_m=line_spacing_m,
        width_m=width_m,
        fewest_lines=_FEWEST_CLEAR,
    )
    return linear


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Track:
    """Where bursts are on the lines: their middle row and piece of line, (k,)."""

    blocks: LineBlocks
    pieces: Runs
    row: NDArray[np.intp]
    piece: NDArray[np.intp]

    @classmethod
    def of(cls, blocks: LineBlocks, bursts: Bursts, pieces: Runs) -> Self:
        first = blocks.first_row[bursts.block]
        after = blocks.first_row[bursts.block + 1]
        return cls(
            blocks=blocks,
            pieces=pieces,
            row=first + (after - first) // 2,
            piece=blocks.piece[bursts.block],
        )


def _is_clear(bursts: Bursts, limit_m: Floats) -> Bools:
    return np.asarray(
        (bursts.distance_m <= limit_m)
        & (bursts.explained > _CLEAR_FIT)
        & (bursts.nearer > _CLEARLY_NEARER)
    )


def _station_m(pieces: Runs) -> float:
    steps = int((pieces.stations - 1).sum())
    return float(pieces.length_m.sum()) / steps if steps else np.inf


def _largest(bursts: Bursts, track: _Track, wanted: Bools, *, apart_m: float) -> Bools:
    """Leave out the wanted bursts that a larger one of the same piece of line is near, (k,) bool."""
    kept = wanted.copy()
    order = np.flatnonzero(wanted)
    order = order[np.argsort(-bursts.amplitude_nt[order], kind="stable")]
    apart = apart_m / track.blocks.block_m
    for i in order:
        if kept[i]:
            near = (np.abs(bursts.block - bursts.block[i]) <= apart) & (
                track.piece == track.piece[i]
            )
            near[i] = False
            kept &= ~near
    return kept


def _flag(
    survey: Survey, track: _Track, bursts: Bursts, index: int, *, kind: CultureKind
) -> CultureFlag:
    block = int(bursts.block[index])
    piece, row = int(track.piece[index]), int(track.row[index])
    each_way = max(1, round(float(bursts.distance_m[index]) / track.blocks.block_m))
    starts = track.blocks.first_row
    first, last = max(block - each_way, 0), min(block + each_way + 1, len(starts) - 1)
    return CultureFlag(
        kind=kind,
        line=survey.line_names[survey.line[row]],
        first_row=max(int(starts[first]), int(track.pieces.start[piece])),
        last_row=min(int(starts[last]), int(track.pieces.stop[piece])) - 1,
        easting_m=float(survey.easting_m[row]),
        northing_m=float(survey.northing_m[row]),
        amplitude_nt=float(bursts.amplitude_nt[index]),
        distance_m=float(bursts.distance_m[index]),
    )
