"""The price list, and the forecast on series whose course is known."""

from __future__ import annotations

import math

import pytest

from quetzalcore.autoscaler.fitting import cheapest_fitting
from quetzalcore.autoscaler.forecast import HoltWinters, QueueForecast
from quetzalcore.autoscaler.prices import read_prices
from quetzalcore.errors import BadParameter
from quetzalcore.jobs.model import Resources

ONE = '[[shapes]]\nname = "a"\ncpus = 4\nmemory_mib = 8192\nhourly_price = 0.1\n'


def test_our_own_list_has_the_documented_sizes() -> None:
    plain = [s for s in read_prices().shapes if not s.spot]
    sizes = [(s.cpus, s.memory_mib, s.vgpus) for s in plain]
    assert sizes == [(8, 16384, 1), (16, 32768, 2), (32, 65536, 4)]


@pytest.mark.parametrize(
    ("asked", "spot", "name"),
    [
        (Resources(cpus=1), False, "8c-16g-1v"),
        (Resources(cpus=1), True, "8c-16g-1v-spot"),
        (Resources(cpus=9), False, "16c-32g-2v"),
        (Resources(memory_mib=40_000), False, "32c-64g-4v"),
        (Resources(vgpus=2), False, "16c-32g-2v"),
        (Resources(cpus=64), False, None),
    ],
)
def test_the_cheapest_that_fits_is_found(asked: Resources, *, spot: bool, name: str | None) -> None:
    found = cheapest_fitting(asked, read_prices().shapes, spot=spot)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("shapes = 3 =", "it is not TOML"),
        ("", "shapes"),
        ("shapes = []", "shapes"),
        (ONE + ONE, "two shapes named a"),
        (ONE + "colour = 3\n", "there is no key shapes.0.colour"),
        (ONE.replace("0.1", "-1"), "shapes.0.hourly_price is -1"),
        (ONE.replace("0.1", "inf"), "shapes.0.hourly_price"),
        (ONE.replace("cpus = 4\n", ""), "shapes.0.cpus"),
    ],
)
def test_a_wrong_list_says_where(text: str, words: str) -> None:
    with pytest.raises(BadParameter) as refused:
        read_prices(text, source="prices.toml")
    assert words in str(refused.value)
    assert "prices.toml" in str(refused.value)


def test_an_own_list_replaces_ours() -> None:
    listed = read_prices('currency = "BWP"\n' + ONE)
    assert listed.currency == "BWP"
    assert [s.name for s in listed.shapes] == ["a"]


def test_a_constant_series_is_forecast_exactly() -> None:
    model = HoltWinters()
    for _ in range(50):
        model.observe(7.0)
    assert model.forecast(3) == pytest.approx([7.0, 7.0, 7.0])


def test_a_rising_series_is_forecast_to_rise_and_never_below_nothing() -> None:
    model = HoltWinters()
    for step in range(100):
        model.observe(float(step))
    first, *_, last = model.forecast(10)
    assert 95.0 < first < last
    falling = HoltWinters()
    for step in range(50):
        falling.observe(50.0 - step)
    assert min(falling.forecast(100)) >= 0.0


def test_a_season_is_learnt() -> None:
    def wave(step: int) -> float:
        return 100.0 + 50.0 * math.sin(2 * math.pi * step / 24)

    seasonal, plain = HoltWinters(season=24), HoltWinters()
    for step in range(24 * 5):
        seasonal.observe(wave(step))
        plain.observe(wave(step))
    truth = [wave(24 * 5 + step) for step in range(24)]

    def error(model: HoltWinters) -> float:
        pairs = zip(model.forecast(24), truth, strict=True)
        return max(abs(value - true) for value, true in pairs)

    assert error(seasonal) < 2.0
    assert error(plain) > 20.0


def test_a_queue_deepens_by_what_arrives_beyond_what_is_served() -> None:
    forecast = QueueForecast(step_s=60.0)
    for minute in range(1, 30):  # 30 jobs a minute come, 10 cores end one a minute each
        forecast.observe(60.0 * minute, arrived=30, finished=10, busy_cores=10.0)
    assert forecast.expected_depth(5, lead_s=300.0, cores=10.0) == pytest.approx(105.0, rel=0.02)
    assert forecast.expected_depth(5, lead_s=300.0, cores=40.0) == 0.0


def test_before_anything_is_known_the_queue_stays_as_it_is() -> None:
    assert QueueForecast().expected_depth(5, lead_s=300.0, cores=1.0) == 5.0
