"""The stores that pass the same tests."""

from __future__ import annotations

import secrets

import pytest

from quetzalcore.jobs.artifacts import ArtifactStore
from quetzalcore.jobs.stores import MemoryStore, open_store


@pytest.fixture(params=["memory", "folder", "s3"])
def store(request, tmp_path) -> ArtifactStore:
    """Give an empty store of each kind."""
    if request.param == "memory":
        return MemoryStore()
    if request.param == "folder":
        return open_store(f"file://{tmp_path}/artifacts")
    server = request.getfixturevalue("s3_server")
    return open_store(
        server.url(f"tests/{secrets.token_hex(8)}"),
        access_key_id=server.access_key_id,
        secret_access_key=server.secret_access_key,
    )
