"""What of its environment a master hands to the agent."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from quetzalcore.cluster.engines.local import LocalEngine
from quetzalcore.cluster.environment import without_secrets
from quetzalcore.cluster.host import HostSettings


@pytest.mark.parametrize(
    "name",
    [
        "DATABASE_URL",
        "SECRET_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SESSION_TOKEN",
        "QUETZAL_SECRET",
        "QUETZAL_LINK_KEY",
        "QUETZAL_DATABASE_URL",
        "PGPASSWORD",
        "PGPASSFILE",
        "GITHUB_PAT",
        "S3_CREDENTIALS_FILE",
        "SENTRY_DSN",
        "QUETZAL_REDIS_URI",
        "quetzal_admin_password",
    ],
)
def test_a_credential_is_not_handed_on(name) -> None:
    assert without_secrets({name: "x", "PATH": "/bin"}) == {"PATH": "/bin"}


def test_an_address_with_a_password_is_not_handed_on_under_any_name() -> None:
    assert without_secrets({"PLACE": "postgresql://u:p@host/db"}) == {}


def test_what_a_process_needs_is_handed_on() -> None:
    needed = dict.fromkeys(
        ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "XDG_RUNTIME_DIR"), "/x"
    )
    assert without_secrets(needed) == needed


def test_a_started_agent_has_no_credentials(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@host/db")
    monkeypatch.setenv("QUETZAL_SECRET_KEY", "hidden")

    async def environment() -> bytes:
        engine = LocalEngine(
            HostSettings(
                node_id="n", folder=tmp_path / "a", runtime="process", warm_bare=0, warm_numeric=0
            )
        )
        try:
            await engine.start()
            pid = int((tmp_path / "a" / "agent.pid").read_text())
            return Path(f"/proc/{pid}/environ").read_bytes()  # noqa: ASYNC240 -- not on any disk
        finally:
            await engine.shut_down()

    said = asyncio.run(environment())
    assert f"PATH={os.environ['PATH']}".encode() in said
    assert b"hidden" not in said
    assert b"postgresql" not in said
