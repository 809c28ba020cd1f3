from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.servers.platform import PlatformProcesses, eventually, platform_processes

from quetzalcore.client import QuetzalClient
from quetzalcore.client.models import JobView

pytestmark = [pytest.mark.faults]

PRODUCTION = {"QUETZAL_ENV": "production", "QUETZAL_LEASE_S": "8"}


@pytest.fixture(scope="module")
def platform(
    tmp_path_factory: pytest.TempPathFactory, misbehaving_kinds: Path
) -> Iterator[PlatformProcesses]:
    """Give a platform that takes work of tenants, and so enforces every limit; one takes every blow."""
    assert misbehaving_kinds.is_dir()
    folder = tmp_path_factory.mktemp("hostile") / "data"
    for processes in platform_processes(folder, PRODUCTION):
        processes.start("up", "--foreground", name="up")
        processes.ready()
        eventually(partial(has_node, processes), within_s=30, what="a node is there")
        yield processes


@pytest.fixture(scope="module")
def keys(platform: PlatformProcesses) -> Mapping[str, str]:
    """Give a key for each of three tenants."""
    return {name: tenant_key(platform, name) for name in ("attacker", "neighbour", "victim")}


def has_node(platform: PlatformProcesses) -> bool:
    with platform.client() as client:
        return any(node["trust"] == "tenant" for node in client.list_nodes()["items"])


def tenant_key(platform: PlatformProcesses, tenant: str) -> str:
    user = f"{tenant}-user"
    added = platform.quetzal("user", "add", user, "--role", "client", "--tenant", tenant)
    assert added.returncode == 0, added.stderr
    made = platform.quetzal("key", "create", "--user", user)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def run(client: QuetzalClient, kind: str, params: Mapping[str, Any], **more: Any) -> JobView:  # noqa: ANN401 -- JSON
    body: Any = {"kind": kind, "params": dict(params), "reuse": False, **more}
    return client.wait(client.submit_job(body)["id"])


# What each does, and the failure that its owner is told; None where it ends well and must have got nowhere.
HOSTILE: tuple[tuple[str, dict[str, Any], set[str] | None], ...] = (
    ("forkbomb", {"seconds": 600}, {"wall_limit", "too_many_processes", "defect"}),
    ("eat_memory", {}, {"out_of_memory"}),
    ("spin", {"seconds": 600}, {"wall_limit"}),
    ("fill_out", {}, {"scratch_full"}),
    ("fill_tmp", {}, {"scratch_full", "out_of_memory"}),
    ("print_gigabyte", {}, None),
    ("ignore_sigterm", {"seconds": 600}, {"wall_limit"}),
    ("crash", {"how": "segfault"}, {"vm_lost", "defect", "crashed"}),
    ("exit_silently", {"status": 0}, {"vm_lost", "defect", "no_result"}),
    ("giant_result", {"mib": 16}, {"result_too_large"}),
    ("giant_result", {"mib": 1024}, {"out_of_memory"}),
    ("open_sockets", {}, None),
    ("write_outside", {}, None),
    ("hostile_outputs", {"which": ["links", "special"]}, {"output_refused"}),
    ("hostile_outputs", {}, {"output_refused", "scratch_full"}),
)
_WALL_S = {"print_gigabyte": 90}  # it is let finish; the others are given little
GOT_NOWHERE = {"open_sockets": "opened", "write_outside": "written"}

_NAMES = [f"{kind} {list(params.values())}" if params else kind for kind, params, _ in HOSTILE]


@pytest.mark.parametrize(("kind", "params", "codes"), HOSTILE, ids=_NAMES)
def test_a_hostile_vm_harms_nobody_and_its_owner_is_told_why(
    platform: PlatformProcesses,
    keys: Mapping[str, str],
    kind: str,
    params: dict[str, Any],
    codes: set[str] | None,
) -> None:
    over = threading.Event()
    seen: list[JobView] = []

    def work_on() -> None:
        with platform.client(keys["neighbour"]) as client:
            while not over.is_set():
                seen.append(run(client, "sum_file", {"size": 5000, "tag": str(len(seen))}))

    with ThreadPoolExecutor(1) as pool:
        beside = pool.submit(work_on)
        try:
            with platform.client(keys["attacker"]) as client:
                job = run(client, kind, params, wall_s=_WALL_S.get(kind, 6))
        finally:
            over.set()
        beside.result(timeout=60)
    assert seen
    assert all(each["state"] == "succeeded" for each in seen), [e["error"] for e in seen]
    if codes is None:
        assert job["state"] == "succeeded", job["error"]
        assert job["result"] is not None
        assert not job["result"].get(GOT_NOWHERE.get(kind, ""), [])
    else:
        assert job["state"] == "failed"
        error = job["error"]
        assert error is not None
        assert error["code"] in codes, error
        assert error["detail"]
        assert error["hint"]
        assert "Traceback" not in error["detail"]
    eventually(lambda: not platform_busy(platform), within_s=20, what="nothing of it is left")


def platform_busy(platform: PlatformProcesses) -> bool:
    with platform.client() as client:
        return any(node["active_vms"] for node in client.list_nodes()["items"])


def test_a_vm_sees_nothing_of_the_platform_or_of_others(
    platform: PlatformProcesses, keys: Mapping[str, str]
) -> None:
    with platform.client(keys["victim"]) as client:
        own = run(client, "sum_file", {"size": 100, "tag": "private"})
    assert own["state"] == "succeeded", own["error"]
    files = [path for path in platform.folder.rglob("*") if path.is_file()]
    artifacts = [path for path in files if path.is_relative_to(platform.files.artifacts)]
    secrets = sorted(str(path) for path in {*files} - {*artifacts[20:]})
    assert str(platform.folder / "secret") in secrets
    with platform.client(keys["attacker"]) as client:
        job = run(client, "read_secrets", {"paths": [str(platform.folder), *secrets]})
    assert job["result"] is not None, job["error"]
    seen = set(job["result"]["read"])
    assert not {path for path in seen if path.startswith(str(platform.folder))}
    assert not seen & {"/etc/shadow", "/root/.ssh/id_rsa", "/var/run/docker.sock", "/proc/kcore"}
    told = json.dumps(job["result"])
    for name in ("admin-credentials", "secret"):
        for word in (platform.folder / name).read_text().split():
            assert len(word) < 20 or word not in told
    environment = job["result"]["environment"]
    ours = {name for name in environment if name.startswith(("QUETZAL_", "AWS_", "DATABASE_"))}
    assert ours <= {"QUETZAL_IN", "QUETZAL_OUT"}  # the VM's own folders
    assert str(platform.folder) not in json.dumps(environment)
