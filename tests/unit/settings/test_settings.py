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


def test_names_that_operators_know_are_understood_and_ours_win() -> None:
    settings, warnings = load_settings(
        {}, {"DATABASE_URL": "postgresql://a", "QUETZAL_DATABASE_URL": "postgresql://b",
             "HIVE_ORCHESTRATOR_URL": "https://gateway"}
    )  # fmt: skip
    assert settings.database_url == "postgresql://b"
    assert settings.join_url == "https://gateway"
    assert warnings == ()


def test_secrets_are_not_shown_when_settings_are_printed() -> None:
    settings, _ = load_settings({}, {"SECRET_KEY": "hush"})
    assert "hush" not in repr(settings)
    assert settings.secret_key.get_secret_value() == "hush"


def test_every_setting_says_what_it_is_for() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_a_list_in_the_environment_is_separated_by_commas() -> None:
    settings, _ = load_settings({}, {"QUETZAL_RATE_LIMIT_EXEMPT": "k1,k2"})
    assert settings.rate_limit_exempt == ("k1", "k2")
