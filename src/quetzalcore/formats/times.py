"""Dates and times as files write them, to seconds since 1970-01-01T00:00 UTC."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quetzalcore.formats.units import find_unit
from quetzalcore.geophysics.survey import Floats

__all__ = ["Clock", "dates_to_days", "numeric_clock", "seconds_of_texts", "unroll_midnight"]

DAY_S = 86_400.0
_GPS_EPOCH_S = 315_964_800.0
# GPS time runs ahead of UTC by these many whole seconds from these Unix times on (IERS Bulletin C).
_LEAPS = (
    (362_793_600, 1), (394_329_600, 2), (425_865_600, 3), (489_024_000, 4), (567_993_600, 5),
    (631_152_000, 6), (662_688_000, 7), (709_948_800, 8), (741_484_800, 9), (773_020_800, 10),
    (820_454_400, 11), (867_715_200, 12), (915_148_800, 13), (1_136_073_600, 14),
    (1_230_768_000, 15), (1_341_100_800, 16), (1_435_708_800, 17), (1_483_228_800, 18),
)  # fmt: skip
_EPOCHS = ((1e17, 1e-9, "ns"), (1e14, 1e-6, "us"), (1e11, 1e-3, "ms"), (1e8, 1.0, "s"))
_HMS_MAX = 240_000.0
_HOURS_MAX = 24.0
_WEEK_S = 604_800.0
_DISTINCT = 100
_TEXT_DATE = re.compile(r"^(\d{1,4})[-/.](\d{1,2}|[A-Za-z]{3})[-/.](\d{1,4})")
_ORDERS = (("ymd", "year, month, day"), ("dmy", "day, month, year"), ("mdy", "month, day, year"))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PIVOT = 70  # two-digit years from 70 on are the nineteen hundreds


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What a time column says.

    Parameters
    ----------
    seconds : (n,) float64
        Seconds; NaN means unknown.
    absolute : bool
        Whether they count from 1970-01-01; else from midnight.
    how : str
        How the column was read, in words.
    """

    seconds: Floats
    absolute: bool
    how: str


def numeric_clock(values: Floats, *, name: str, unit: str | None) -> Clock:
    """Read a column of numbers as time: by its unit, else by what the numbers can only be."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return Clock(seconds=values, absolute=False, how="empty")
    return _since_epoch(values, finite, name.lower()) or _of_day(values, finite, name.lower(), unit)


def _since_epoch(values: Floats, finite: Floats, name: str) -> Clock | None:
    middle = float(np.median(finite))
    for least, scale, symbol in _EPOCHS:
        if middle > least and "gps" in name:
            seconds = gps_to_unix_s(values * scale)
            return Clock(seconds=seconds, absolute=True, how=f"GPS time in {symbol}")
        if middle > least:
            return Clock(seconds=values * scale, absolute=True, how=f"Unix time in {symbol}")
    return None


def _of_day(values: Floats, finite: Floats, name: str, unit: str | None) -> Clock:
    top, known = float(finite.max()), find_unit(unit)
    if known is not None and known.quantity == "time":
        seconds, how = values * known.factor, f"{known.symbol} of the day"
    elif "hour" in name or (top <= _HOURS_MAX and not _whole(finite)):
        seconds, how = values * 3600.0, "decimal hours of the day"
    elif _is_hhmmss(finite, top):
        seconds, how = _from_hhmmss(values), "HHMMSS"
    elif top <= DAY_S + 1.0:
        seconds, how = values, "seconds of the day"
    elif top <= _WEEK_S and any(word in name for word in ("gps", "sow", "week")):
        seconds, how = np.mod(values, DAY_S), "seconds of the GPS week"
    else:
        seconds, how = np.full(len(values), np.nan), "nothing that is understood"
    return Clock(seconds=seconds, absolute=False, how=how)


def gps_to_unix_s(gps_s: Floats) -> Floats:
    """Turn seconds since the GPS epoch (1980-01-06) into UTC seconds since 1970."""
    unix = gps_s + _GPS_EPOCH_S
    starts = np.array([start for start, _ in _LEAPS], dtype=np.float64)
    leaps = np.array([0, *(leap for _, leap in _LEAPS)], dtype=np.float64)
    shifted = starts + leaps[1:]
    result: Floats = unix - leaps[np.searchsorted(shifted, unix, side="right")]
    return result


def _whole(values: Floats) -> bool:
    return bool(np.all(values == np.round(values)))


def _is_hhmmss(values: Floats, top: float) -> bool:
    """Minutes and seconds never reach 60: in plain seconds of the day they soon do."""
    if top >= _HMS_MAX or values.min() < 0.0:
        return False
    distinct = np.unique(np.floor(values))
    fits = bool(np.all((distinct % 100 < 60) & (distinct // 100 % 100 < 60)))  # noqa: PLR2004
    return fits and (top > DAY_S or len(distinct) >= _DISTINCT)


def _from_hhmmss(values: Floats) -> Floats:
    hours = np.floor(values / 10_000.0)
    minutes = np.floor(values / 100.0) % 100.0
    result: Floats = hours * 3600.0 + minutes * 60.0 + values % 100.0
    return result


def seconds_of_texts(texts: Any) -> Clock:  # noqa: ANN401 -- PyArrow has no types
    """Read texts such as ``2021-01-02T03:04:05.5Z``, ``2/1/2021 03:04`` or ``03:04:05.5``."""
    try:
        stamps = pc.cast(
            pc.replace_substring_regex(texts, "(Z|\\+00:?00)$", ""), pa.timestamp("us")
        )
        micros = pc.cast(stamps, pa.int64())
        return Clock(seconds=_scaled(micros), absolute=True, how="date and time")
    except pa.ArrowInvalid:
        pass
    parts = pc.extract_regex(
        texts,
        r"^\s*(?P<date>[^\sT:]+[-/.][^\sT:]+[-/.][^\sT:]+)?[\sT]*"
        r"(?P<h>\d{1,2}):(?P<m>\d{1,2})(?::(?P<s>\d{1,2}(?:\.\d*)?))?\s*(?P<z>Z|[+-]\d\d:?\d\d)?\s*$",
    )
    clock = _number(parts, "h") * 3600.0 + _number(parts, "m") * 60.0
    clock = clock + np.nan_to_num(_number(parts, "s")) - _zone(parts)
    dates = pc.struct_field(parts, "date")
    if not pc.any(pc.not_equal(dates, "")).as_py():
        return Clock(seconds=clock, absolute=False, how="HH:MM:SS")
    days, how = dates_to_days(dates)
    return Clock(seconds=days * DAY_S + clock, absolute=True, how=f"date ({how}) and time")


def _scaled(micros: Any) -> Floats:  # noqa: ANN401 -- PyArrow has no types
    values: Floats = np.asarray(
        pc.cast(micros, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    )
    return values * 1e-6


def _number(parts: Any, name: str) -> Floats:  # noqa: ANN401 -- PyArrow has no types
    text = pc.struct_field(parts, name)
    filled = pc.if_else(pc.equal(text, ""), None, text)
    return np.asarray(
        pc.cast(filled, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64
    )


def _zone(parts: Any) -> Floats:  # noqa: ANN401 -- PyArrow has no types
    """Offset from UTC in seconds; zero where none is given."""
    encoded = pc.struct_field(parts, "z").dictionary_encode()
    offsets = [_offset_s(text or "") for text in encoded.dictionary.to_pylist()]
    codes = encoded.indices.fill_null(len(offsets)).to_numpy(zero_copy_only=False)
    seconds: Floats = np.asarray([*offsets, 0.0])[codes]
    return seconds


def _offset_s(text: str) -> float:
    digits = text.replace(":", "")
    if len(digits) < 5:  # noqa: PLR2004 -- a sign and four digits
        return 0.0
    sign = -1.0 if digits[0] == "-" else 1.0
    return sign * (int(digits[1:3]) * 3600.0 + int(digits[3:5]) * 60.0)


def dates_to_days(texts: Any) -> tuple[Floats, str]:  # noqa: ANN401 -- PyArrow has no types
    """Turn dates into days since 1970-01-01 and say how they were read; NaN where they are none.

    Known are ``YYYY-MM-DD`` and ``YYYY/MM/DD``, ``DD/MM/YYYY`` and ``MM/DD/YYYY`` (told apart by
    days above 12, else the day is taken to come first), ``02-Jan-2021``, ``YYYYMMDD``,
    ``DDMMYYYY``, ``YYMMDD`` and ``DDMMYY``.
    """
    encoded = texts.dictionary_encode()
    words = [(word or "").strip() for word in encoded.dictionary.to_pylist()]
    orders = {how: [_day(word, order) for word in words] for order, how in _ORDERS}
    how, found = max(orders.items(), key=lambda item: sum(day is not None for day in item[1]))
    days = np.array([np.nan if day is None else float(day) for day in [*found, None]])
    codes = encoded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)
    return days[codes], how


def _day(word: str, order: str) -> int | None:
    parts = _date_parts(word.removesuffix(".0"), order)
    if parts is None:
        return None
    named = dict(zip(order, parts, strict=True))
    try:
        month = _MONTHS.index(named["m"].lower()) + 1 if named["m"].isalpha() else int(named["m"])
        date = dt.date(_year(named["y"]), month, int(named["d"]))
    except ValueError:
        return None
    return date.toordinal() - dt.date(1970, 1, 1).toordinal()


def _date_parts(word: str, order: str) -> tuple[str, ...] | None:
    cut = _TEXT_DATE.match(word)
    if cut:
        fits = len(cut[1 + order.index("y")]) in {2, 4} and len(cut[1 + order.index("d")]) <= 2  # noqa: PLR2004
        return cut.groups() if fits else None
    if not word.isdigit() or len(word) not in {5, 6, 7, 8}:
        return None
    digits = word.zfill(8 if len(word) > 6 else 6)  # noqa: PLR2004 -- a leading zero was lost
    wide = len(digits) - 4
    if order == "ymd":
        return digits[:wide], digits[wide : wide + 2], digits[wide + 2 :]
    return digits[:2], digits[2:4], digits[4:]


def _year(text: str) -> int:
    year = int(text)
    if len(text) > 2:  # noqa: PLR2004 -- a full year
        if not 1900 <= year <= 2100:  # noqa: PLR2004 -- no magnetometer flew before or after
            raise ValueError(text)
        return year
    return year + (1900 if year >= _PIVOT else 2000)


def unroll_midnight(seconds: Floats) -> tuple[Floats, int]:
    """Add a day wherever the clock falls back by more than half a day, and count these places."""
    steps = np.diff(seconds, prepend=seconds[:1])
    falls = np.nan_to_num(steps) < -0.5 * DAY_S
    return seconds + DAY_S * np.cumsum(falls), int(falls.sum())
