"""The real package on a host: a gateway behind nginx, and a worker that finds nobody to join."""

from __future__ import annotations

import json

import pytest
from tests.servers.wheels import real_wheel

pytestmark = pytest.mark.slow


def test_the_real_platform_is_deployed_and_serves_through_nginx(fleet, tmp_path) -> None:
    one, wheel = fleet.names[:1], real_wheel(tmp_path)
    patient = ("--ready-within", "60", "--instances", "1", "--listen", "0.0.0.0:8080")
    (done,) = fleet.deploy("gateway", wheel, *patient, hosts=one)
    assert done["state"] == "changed"
    assert fleet.ask(one[0], "/ready", port=8080)
    assert json.loads(fleet.ask(one[0], "/health", port=8080))["status"]
    assert (fleet.root(one[0]) / "var/lib/quetzalcore/admin-credentials").is_file()
    assert [one["state"] for one in fleet.deploy("gateway", wheel, *patient, hosts=one)] == [
        "unchanged"
    ]


@pytest.mark.faults
def test_a_real_worker_that_cannot_join_does_not_count_as_well(fleet, tmp_path) -> None:
    fleet.configure(HIVE_ORCHESTRATOR_URL="http://127.0.0.1:9", QUETZAL_JOIN_KEY="qz_none")
    error = fleet.refusal("workers", real_wheel(tmp_path), "--settle", "10", hosts=fleet.names[:1])
    assert "quetzalcore-hv: it ends and is started again" in str(error)
