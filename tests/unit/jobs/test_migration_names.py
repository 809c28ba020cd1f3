"""The files of migrations are named as their revisions, so that the newest is known without Alembic."""

from __future__ import annotations

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from quetzalcore.database.migrations import newest


@pytest.mark.parametrize(
    "package", ["quetzalcore.jobs.migrations", "quetzalcore.identity.migrations"]
)
def test_the_newest_file_is_the_only_head(package: str) -> None:
    config = Config()
    name, _, folder = package.rpartition(".")
    config.set_main_option("script_location", f"{name}:{folder}")
    assert ScriptDirectory.from_config(config).get_heads() == [newest(package)]
