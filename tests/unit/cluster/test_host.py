"""What a node promises: behind walls, memory and scratch space together never more than it may give."""

from __future__ import annotations

import pytest

from quetzalcore.cluster import host
from quetzalcore.cluster.host import HostSettings, describe
from quetzalcore.hypervisor.runtime import Capabilities
from quetzalcore.hypervisor.spec import Limit, Trust

WALLS = Capabilities(name="crun", available=True, enforces=frozenset(Limit), missing={})
PROCESS = Capabilities(name="process", available=True, enforces=frozenset(), missing={})


@pytest.fixture(autouse=True)
def _ten_thousand_mib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_physical_memory_mib", lambda: 10_000)
    monkeypatch.setattr(host, "_free_disk_mib", lambda _: 1_000_000)


def test_behind_walls_memory_and_scratch_come_out_of_one(tmp_path) -> None:
    total = describe(HostSettings(node_id="n", folder=tmp_path), WALLS, Trust.TENANT).total
    assert (total.memory_mib, total.scratch_mib) == (6000, 2000)


def test_what_the_operator_gives_is_memory_and_scratch_comes_on_top(tmp_path) -> None:
    settings = HostSettings(node_id="n", folder=tmp_path, memory_mib=3000)
    total = describe(settings, WALLS, Trust.TENANT).total
    assert (total.memory_mib, total.scratch_mib) == (3000, 1000)


def test_a_plain_process_writes_to_the_disk(tmp_path) -> None:
    total = describe(HostSettings(node_id="n", folder=tmp_path), PROCESS, Trust.OWNER).total
    assert (total.memory_mib, total.scratch_mib) == (8000, 500_000)
