from __future__ import annotations

import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.settings import Settings, load_settings


def test_nothing_given_means_the_defaults() -> None:
    assert load_settings({}, {}) == (Settings(), ())


def test_the_environment_wins_over_the_file() -> None:
    settings, warnings = load_settings({"threads": 3}, {"QUETZAL_THREADS": "2", "HOME": "/root"})
    assert settings.threads == 2
    assert warnings == ()


def test_an_unknown_key_of_the_file_is_refused_by_name() -> None:
    with pytest.raises(BadParameter, match="there is no key thread: remove it"):
        load_settings({"thread": 3}, {})


def test_an_unknown_variable_is_only_warned_of() -> None:
    settings, warnings = load_settings({}, {"QUETZAL_PORT_8000_TCP": "tcp://10.0.0.1"})
    assert settings == Settings()
    assert "QUETZAL_PORT_8000_TCP" in warnings[0]


def test_a_value_out_of_range_says_what_was_given_and_what_is_allowed() -> None:
    with pytest.raises(BadParameter, match=r"threads is 0: input should be greater than or equal"):
        load_settings({"threads": 0}, {})
