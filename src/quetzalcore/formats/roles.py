"""Which column is what: a table of name patterns with scores, and the guess that reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from quetzalcore.errors import BadTable, Where
from quetzalcore.formats.options import Role
from quetzalcore.formats.table import Column
from quetzalcore.formats.units import find_unit
from quetzalcore.geophysics.survey import HeightRole

__all__ = ["ChannelState", "RoleGuess", "candidates", "channel_state", "guess_roles", "plain_name"]


class ChannelState(StrEnum):
    """How far a magnetic channel has been processed, from its name."""

    RAW = "raw"
    COMPENSATED = "compensated"
    FILTERED = "filtered"
    UNKNOWN = "unknown"
    DIURNAL_CORRECTED = "diurnal-corrected"
    IGRF_REMOVED = "igrf-removed"
    LEVELLED = "levelled"
    MICROLEVELLED = "microlevelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleGuess:
    """A column's role, and why."""

    role: Role
    column: str
    reason: str
    score: int
    height_role: HeightRole | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    role: Role
    pattern: str
    score: int
    why: str
    height_role: HeightRole | None = None


_DATUM = r"(?:_?(?:gda|wgs|mga|utm|nad|etrs|grs|itrf)_?\d*[a-z]?)"
_OLD = r"(?:_?(?:agd|amg|nad27)_?\d*)"
_HGT = r"(?:h|ht|hgt|height|hei|alt|altitude|elev|elevation|z)"

# Patterns match the whole plain name (lower case, units and punctuation away); higher scores win.
_RULES = (
    _Rule(role=Role.LINE, pattern=r"(?:flight_?|flt_?|survey_?)?line(?:_?(?:no|num|nr|number|name|id))?", score=100, why="names a line"),
    _Rule(role=Role.LINE, pattern=r"ln|line\w*|profile(?:_?\w+)?|traverse(?:_?\w+)?", score=60, why="may name a line"),
    _Rule(role=Role.LONGITUDE, pattern=rf"(?:\w+_)?(?:longitude|long|lon|lng){_DATUM}?(?:_(?:dd|deg|degrees|x))?", score=100, why="names longitude"),
    _Rule(role=Role.LONGITUDE, pattern=rf"{_DATUM}_?(?:longitude|long|lon|llg|lng)", score=95, why="names longitude"),
    _Rule(role=Role.LATITUDE, pattern=rf"(?:\w+_)?(?:latitude|lat){_DATUM}?(?:_(?:dd|deg|degrees|y))?", score=100, why="names latitude"),
    _Rule(role=Role.LATITUDE, pattern=rf"{_DATUM}_?(?:latitude|lat|llt)", score=95, why="names latitude"),
    _Rule(role=Role.EASTING, pattern=r"easting", score=100, why="names easting"),
    _Rule(role=Role.EASTING, pattern=rf"(?:east|easting|e|x){_DATUM}|{_DATUM}_?(?:easting|east|e|x)", score=95, why="names easting on a map grid"),
    _Rule(role=Role.EASTING, pattern=r"east|east_x|x_east", score=90, why="names easting"),
    _Rule(role=Role.EASTING, pattern=r"x|x_?coord(?:inate)?|coord_?x|pos_?x", score=70, why="names the x axis"),
    _Rule(role=Role.EASTING, pattern=rf"(?:east|easting|e|x){_OLD}|{_OLD}_?(?:easting|east|e|x)", score=40, why="names easting on an old datum"),
    _Rule(role=Role.NORTHING, pattern=r"northing", score=100, why="names northing"),
    _Rule(role=Role.NORTHING, pattern=rf"(?:north|northing|n|y){_DATUM}|{_DATUM}_?(?:northing|north|n|y)", score=95, why="names northing on a map grid"),
    _Rule(role=Role.NORTHING, pattern=r"north|north_y|y_north", score=90, why="names northing"),
    _Rule(role=Role.NORTHING, pattern=r"y|y_?coord(?:inate)?|coord_?y|pos_?y", score=70, why="names the y axis"),
    _Rule(role=Role.NORTHING, pattern=rf"(?:north|northing|n|y){_OLD}|{_OLD}_?(?:northing|north|n|y)", score=40, why="names northing on an old datum"),
    _Rule(role=Role.HEIGHT, pattern=rf"(?:{_HGT}_?)?(?:ellipsoid(?:al)?|ellips|ellip|ell|wgs84|grs80)(?:_?{_HGT})?(?:_?m)?", score=100, why="names a height above the ellipsoid", height_role=HeightRole.ELLIPSOIDAL),
    _Rule(role=Role.HEIGHT, pattern=rf"(?:{_HGT}_?)?(?:orthometric|ortho|geoidal|amsl|msl|asl|ahd|navd88)(?:_?{_HGT})?(?:_?m)?", score=100, why="names a height above sea level", height_role=HeightRole.ORTHOMETRIC),
    _Rule(role=Role.HEIGHT, pattern=rf"(?:sensor|mag|bird|aircraft|gps|gnss|dgps)_?{_HGT}", score=80, why="names the sensor's height"),
    _Rule(role=Role.HEIGHT, pattern=r"height|elevation|altitude|elev|alt|hgt|ht|z|z_?coord(?:inate)?", score=70, why="names a height"),
    _Rule(role=Role.HEIGHT, pattern=rf"(?:radar|rad|laser|las|lidar|r)_?(?:alt|altitude|altimeter){_DATUM}?|(?:{_HGT}_?)?(?:agl|clearance|clr|terrain_clearance|ground_clearance)(?:_?{_HGT})?|mtc", score=60, why="names clearance above ground", height_role=HeightRole.CLEARANCE),
    _Rule(role=Role.TIME, pattern=r"timestamp|date_?time|time_?stamp|epoch|unix_?time|time_?utc(?:_(?:s|sec))?|utc_?time(?:_(?:s|sec))?|utc", score=100, why="names a time"),
    _Rule(role=Role.TIME, pattern=r"(?:local_?|gps_?|gnss_?|day_?)?(?:time|tim)(?:_(?:s|sec|h|hours|of_day|local|gps))?|sod|seconds_of_day", score=90, why="names a time"),
    _Rule(role=Role.TIME, pattern=r"gps_?(?:seconds|secs|sec|sow)|seconds|secs|sec", score=60, why="may be a time"),
    _Rule(role=Role.DATE, pattern=r"(?:survey_?|flight_?|flt_?|utc_?|gps_?|local_?)?date(?:_?(?:utc|yyyymmdd|ymd|local))?|yyyymmdd|yymmdd|ddmmyy(?:yy)?", score=100, why="names a date"),
    _Rule(role=Role.TMI, pattern=r"\w*(?:tmi|tmf|total_?mag|mag\w*_?field|magnetic_?(?:intensity|anomaly|total)|total_?field|total_?intensity|total_?force)\w*", score=100, why="names the total magnetic field"),
    _Rule(role=Role.TMI, pattern=r"mag|magnetics?|mag_?\d|(?:\w+_)?mag_?[a-z]\w*|\w+_?mag(?:_\w+)?", score=80, why="names a magnetic reading"),
    _Rule(role=Role.TMI, pattern=r"\w*(?:anomaly|residual)\w*|tf|b_?total|f_?total|field|nt|reading", score=50, why="may be a magnetic reading"),
)  # fmt: skip

# A name that matches one of these is no total-field channel whatever else it says.
_NOT_TMI = re.compile(
    r"\w*(?:lock|quality|flag|grad|heading|declination|inclination|latitude|longitude|image|gravity|bouguer|grav)\w*"
    r"|(?:\w+_)?(?:1vd|2vd|fvd|rtp|rte|asig|tilt|vd|dx|dy|dz|thd)(?:_\w+)?"
    r"|igrf(?:_?(?:gammas|model|field|nt|tmi|total))?|\w*base_?(?:mag|station)?\w*|\w*diurn(?:al)?(?:_gammas|_nt)?"
    r"|mag_?[xyzned](?:_\w+)?|b_?[xyzned]|flux\w*|fg_?\w*|mag_?(?:temp|id|no|num|number|alt|height|ht|pos\w*|signal|sig\w*)|(?:\w+_)?image"
)

# Best first: of several channels the one that went furthest is taken; a filtered copy is for display.
_STATES = (
    (ChannelState.MICROLEVELLED, r"\w*(?:microlev|micro_?lev|_mlev|mlevel|mlev)\w*"),
    (ChannelState.LEVELLED, r"\w*(?:levelled|leveled|level|_lev|lev_|lvl|tielev|final|_fin|fin_)\w*|\w*(?:lev|fin)"),
    (ChannelState.IGRF_REMOVED, r"\w*(?:igrf|anom|residual|resid|_res)\w*"),
    (ChannelState.RAW, r"\w*(?:raw|uncomp|uncmp|_unc)\w*"),
    (ChannelState.FILTERED, r"\w*(?:filt|smooth|_lp)\w*"),
    (ChannelState.DIURNAL_CORRECTED, r"\w*(?:diur|_dc|corr|base_?cor)\w*"),
    (ChannelState.COMPENSATED, r"\w*(?:comp|cmp)\w*"),
)  # fmt: skip
_PREFERENCE = list(ChannelState)
_UNIT_WORDS = re.compile(r"[\[({][^\])}]*[\])}]")
_TRAILING_UNIT = re.compile(r"_(?:nt|gammas?|m|metres|meters|deg|degrees|ft)$")


def plain_name(name: str) -> str:
    """Reduce a name to what patterns see: lower case, no units, one underscore between words."""
    bare = _UNIT_WORDS.sub(" ", name).lower()
    bare = re.sub(r"[^a-z0-9]+", "_", bare).strip("_")
    return _TRAILING_UNIT.sub("", bare)


def channel_state(column: Column) -> ChannelState:
    """Read a magnetic channel's state from its name, or from its longer name."""
    for name in (column.name, column.alias):
        for state, pattern in _STATES:
            if name and re.fullmatch(pattern, plain_name(name)):
                return state
    return ChannelState.UNKNOWN


def candidates(columns: tuple[Column, ...]) -> list[RoleGuess]:
    """List every role that every column may have, by its name."""
    return [guess for column in columns for guess in _of_column(column)]


def guess_roles(
    columns: tuple[Column, ...], overrides: Mapping[str, str], where: Where
) -> dict[Role, RoleGuess]:
    """Give each role the column that fits it best; what the user said comes first.

    Raises
    ------
    BadTable
        If an override names a column that is not there.
    """
    chosen = {
        Role(role): RoleGuess(
            role=Role(role),
            column=(found := _named(columns, name, where)).name,
            reason="you said so",
            score=1000,
            height_role=_own_height_role(found),
        )
        for role, name in overrides.items()
    }
    taken = {guess.column for guess in chosen.values()}
    by_name = {column.name: column for column in columns}
    offers = [guess for guess in candidates(columns) if guess.column not in taken]
    for role in Role:
        fitting = [guess for guess in offers if guess.role == role]
        if role in chosen or not fitting:
            continue
        chosen[role] = max(fitting, key=lambda guess: _rank(guess, by_name[guess.column]))
    return chosen


def _rank(guess: RoleGuess, column: Column) -> tuple[int, int]:
    if guess.role is not Role.TMI:
        return guess.score, 0
    return _PREFERENCE.index(channel_state(column)), guess.score


def _of_column(column: Column) -> list[RoleGuess]:
    found: dict[Role, RoleGuess] = {}
    for name, penalty in ((column.name, 0), (column.alias, 15)):
        plain = plain_name(name)
        for rule in _RULES if plain else ():
            if re.fullmatch(rule.pattern, plain) is None or not _fits(rule.role, plain, column):
                continue
            guess = RoleGuess(
                role=rule.role,
                column=column.name,
                reason=f"{name!r} {rule.why}",
                score=rule.score - penalty,
                height_role=rule.height_role,
            )
            if rule.role not in found or found[rule.role].score < guess.score:
                found[rule.role] = guess
    best = max((guess.score for guess in found.values()), default=0)
    return [guess for guess in found.values() if guess.score == best]


_QUANTITIES = {
    Role.EASTING: "length",
    Role.NORTHING: "length",
    Role.LONGITUDE: "angle",
    Role.LATITUDE: "angle",
    Role.HEIGHT: "length",
    Role.TMI: "field",
}


def _fits(role: Role, plain: str, column: Column) -> bool:
    """Rule out what a name alone would let pass: texts as numbers, other units, other quantities."""
    if role in {Role.LINE, Role.DATE, Role.TIME}:
        return True
    unit = find_unit(column.unit)
    right_unit = unit is None or unit.quantity == _QUANTITIES[role]
    if role is Role.TMI:
        odd_unit = unit is None and column.unit not in {None, ""}
        right_unit &= not odd_unit and _NOT_TMI.fullmatch(plain) is None
    return column.numeric and right_unit


def _own_height_role(column: Column) -> HeightRole | None:
    guesses = [guess for guess in _of_column(column) if guess.role is Role.HEIGHT]
    return guesses[0].height_role if guesses else None


def _named(columns: tuple[Column, ...], name: str, where: Where) -> Column:
    for column in columns:
        if name in {column.name, column.alias}:
            return column
    folded = [column for column in columns if column.name.lower() == name.lower()]
    if len(folded) == 1:
        return folded[0]
    if name.isdigit() and 1 <= int(name) <= len(columns):
        return columns[int(name) - 1]
    known = ", ".join(column.name for column in columns[:20])
    raise BadTable(f"there is no column {name!r}", hint=f"use one of: {known}", where=where)
