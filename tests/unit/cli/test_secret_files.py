"""Settings that are handed over as files."""

from __future__ import annotations

import pytest

from quetzalcore.cli.secret_files import with_secret_files
from quetzalcore.errors import BadParameter
from quetzalcore.settings import load_settings


def test_a_file_gives_a_setting_without_its_last_line_break(tmp_path) -> None:
    (tmp_path / "url").write_text("postgresql://quetzal:s3cret@db/quetzal\n")
    found = with_secret_files({"QUETZAL_DATABASE_URL_FILE": str(tmp_path / "url"), "PATH": "/bin"})
    assert found == {
        "QUETZAL_DATABASE_URL": "postgresql://quetzal:s3cret@db/quetzal",
        "PATH": "/bin",
    }
    settings, warnings = load_settings({}, found)
    assert settings.database_url == "postgresql://quetzal:s3cret@db/quetzal"
    assert not warnings


def test_names_that_operators_know_may_be_files_too(tmp_path) -> None:
    (tmp_path / "key").write_text("k" * 32)
    settings, _ = load_settings({}, with_secret_files({"SECRET_KEY_FILE": str(tmp_path / "key")}))
    assert settings.secret_key.get_secret_value() == "k" * 32


@pytest.mark.parametrize("name", ["QUETZAL_RATES_FILE", "QUETZAL_PROVIDER_FILE", "SOME_FILE"])
def test_a_setting_that_is_a_path_and_what_is_no_setting_stay_as_they_are(name) -> None:
    assert with_secret_files({name: "/nowhere"}) == {name: "/nowhere"}


def test_a_setting_given_both_ways_is_refused(tmp_path) -> None:
    given = {"SECRET_KEY": "a", "SECRET_KEY_FILE": str(tmp_path / "key")}
    with pytest.raises(BadParameter, match="both SECRET_KEY and SECRET_KEY_FILE"):
        with_secret_files(given)


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(BadParameter, match="QUETZAL_JOIN_KEY_FILE names cannot be read"):
        with_secret_files({"QUETZAL_JOIN_KEY_FILE": str(tmp_path / "nothing")})
