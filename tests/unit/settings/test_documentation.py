from __future__ import annotations

from pathlib import Path

from quetzalcore.settings import ALIASES, Settings

PAGE = (Path(__file__).parents[3] / "docs" / "settings.md").read_text(encoding="utf-8")


def test_every_setting_is_documented_in_its_own_words() -> None:
    for name, field in Settings.model_fields.items():
        (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}`")]
        assert str(field.description) in line


def test_every_other_name_of_a_setting_is_documented() -> None:
    assert all(f"`{name}`" in PAGE for name in ALIASES)
