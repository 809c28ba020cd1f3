"""Hostile requests made from the API's own description: no 5xx, and no answer that it does not describe."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.gateway import LiveGateway, live

from quetzalcore.gateway.parts import JoinInfo

_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory) -> Iterator[LiveGateway]:
    """Serve on a real database, with a worker that ends every job at once."""

    async def join(*_: object) -> JoinInfo:
        return JoinInfo(engine="ray", address="10.0.0.2:6380", token="given once")  # noqa: S106 -- of nothing

    folder = tmp_path_factory.mktemp("schemathesis")
    database = f"sqlite:///{folder / 'ledger.db'}"
    with live(database_url=database, join=join, wait_s=1.0, heartbeat_s=0.2) as server:
        done = asyncio.Event()
        server.spawn(server.platform.run_all({"ok": True}, until=done))
        yield server
        server.call(_set(done))


def test_no_made_up_request_breaks_the_gateway(gateway: LiveGateway, tmp_path: Path) -> None:
    _attack(gateway, tmp_path, phases="examples,fuzzing", examples=5, limit_s=300)


@pytest.mark.faults
def test_no_edge_case_of_any_schema_breaks_the_gateway(
    gateway: LiveGateway, tmp_path: Path
) -> None:
    _attack(gateway, tmp_path, phases="examples,coverage,fuzzing", examples=20, limit_s=800)


def _attack(
    gateway: LiveGateway, folder: Path, *, phases: str, examples: int, limit_s: float
) -> None:
    # The runner by its own command: it patches HTTP libraries, which this process is testing with.
    command = (
        *(sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run"),
        f"{gateway.url}/openapi.json",
        *("--header", f"Authorization: Bearer {gateway.platform.keys['root']}"),
        *("--phases", phases, "--max-examples", str(examples), "--seed", "1"),
        *("--checks", ",".join(_CHECKS), "--continue-on-failure", "--no-shrink"),
        *("--request-timeout", "60", "--warnings", "off"),
        # A stream of a job that waits has no end; who revokes the key in use tests nothing any more.
        *("--exclude-operation-id", "watch_job", "--exclude-operation-id", "revoke_key"),
    )
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=limit_s, check=False
    )
    assert done.returncode == 0, done.stdout[-20_000:]
    tested = re.search(r"Tested: (\d+)", done.stdout)
    assert tested is not None
    assert int(tested.group(1)) >= len(_operations(gateway)) - 2


def _operations(gateway: LiveGateway) -> list[str]:
    document = gateway.app.openapi()
    return [each["operationId"] for path in document["paths"].values() for each in path.values()]


async def _set(event: asyncio.Event) -> None:
    event.set()
