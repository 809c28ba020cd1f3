"""Decimal years and the coefficients between epochs."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from quetzalcore.geophysics.igrf import decimal_year, decimal_years
from quetzalcore.geophysics.igrf.coefficients import model


def test_a_date_is_its_first_moment() -> None:
    assert decimal_year(dt.date(2024, 1, 1)) == 2024.0
    assert decimal_year(dt.date(2024, 7, 2)) == pytest.approx(2024 + 183 / 366)
    assert decimal_year(dt.date(2023, 12, 31)) == pytest.approx(2023 + 364 / 365)
    assert decimal_year(dt.date(1900, 12, 31)) == pytest.approx(1900 + 364 / 365)  # not a leap year
    assert decimal_year(dt.date(2000, 12, 31)) == pytest.approx(2000 + 365 / 366)


def test_a_time_counts_and_a_zone_is_converted() -> None:
    noon = dt.datetime(2023, 7, 2, 12, tzinfo=dt.UTC)
    assert decimal_year(noon) == pytest.approx(2023.5)
    east = dt.timezone(dt.timedelta(hours=10))
    assert decimal_year(dt.datetime(2023, 7, 2, 22, tzinfo=east)) == pytest.approx(2023.5)
    assert decimal_year(dt.datetime(2023, 7, 2, 12)) == pytest.approx(2023.5)  # noqa: DTZ001 -- the case tested


def test_seconds_give_the_same_as_dates() -> None:
    dates = [
        dt.datetime(y, m, 5, 7, tzinfo=dt.UTC) for y in (1901, 1969, 2000, 2024) for m in (1, 8)
    ]
    seconds = np.array([date.timestamp() for date in dates])
    expected = [decimal_year(date) for date in dates]
    np.testing.assert_allclose(decimal_years(seconds), expected, rtol=0, atol=1e-9)


def test_an_unknown_time_stays_unknown() -> None:
    years = decimal_years([0.0, np.nan, np.inf])
    assert years[0] == 1970.0
    assert np.isnan(years[1:]).all()


def test_the_official_coefficients_are_read() -> None:
    assert len(model().epochs) == 27
    g, h = model().at(2025.0)
    assert g[0, 1] == -29350.0
    assert g[1, 1] == -1410.3
    assert h[1, 1] == 4545.5
    assert np.count_nonzero(g) + np.count_nonzero(h) <= 195


def test_the_forecast_adds_the_published_secular_variation() -> None:
    g25, _ = model().at(2025.0)
    g27, _ = model().at(2027.0)
    assert (g27 - g25)[0, 1] == pytest.approx(2 * 12.6)
    assert model().at(2030.0)[0][0, 1] == pytest.approx(-29287.0)


def test_the_coefficients_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValueError, match="read-only"):
        model().g_nt[0, 0, 0] = 1.0
