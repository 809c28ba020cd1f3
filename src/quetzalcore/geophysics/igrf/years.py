"""Dates as decimal years: the fraction of the calendar year that has passed, in UTC."""

from __future__ import annotations

import datetime as dt

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["decimal_year", "decimal_years"]

_DAY_S = 86_400.0


def decimal_year(date: dt.date) -> float:
    """Return the decimal year of a date (its first moment) or of a datetime.

    Parameters
    ----------
    date : datetime.date or datetime.datetime
        A datetime without a zone is taken as UTC; one with a zone is converted.

    Returns
    -------
    float
        For example 2024.5 for noon of 2024-07-02 (a leap year).
    """
    moment = date if isinstance(date, dt.datetime) else dt.datetime(date.year, date.month, date.day)  # noqa: DTZ001 -- the zone is set below
    utc = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    begin = dt.datetime(utc.year, 1, 1, tzinfo=dt.UTC)
    length_s = _year_days(np.int64(utc.year)) * _DAY_S
    return utc.year + (utc - begin).total_seconds() / float(length_s)


def decimal_years(time_s: ArrayLike) -> NDArray[np.float64]:
    """Return decimal years of times.

    Parameters
    ----------
    time_s : (...) array_like
        Seconds since 1970-01-01T00:00 UTC. NaN or infinite: NaN comes back.
    """
    seconds = np.asarray(time_s, dtype=np.float64)
    known = np.isfinite(seconds)
    days = np.where(known, seconds, 0.0) / _DAY_S
    year = np.floor(days).astype("datetime64[D]").astype("datetime64[Y]")
    begin = year.astype("datetime64[D]").astype(np.int64)
    number = year.astype(np.int64) + 1970
    return np.where(known, number + (days - begin) / _year_days(number), np.nan)


def _year_days(year: NDArray[np.int64] | np.int64) -> NDArray[np.int64]:
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    return np.asarray(365 + leap)
