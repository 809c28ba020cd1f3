"""Deployments to hosts that are real but for their size: a network, a folder and an SSH server of their own each."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.servers.netns import inside
from tests.servers.platform import eventually

from quetzalcore.ops.deploy.model import DeployFailed, HostUnfit

GATEWAY = "quetzalcore-gateway@8001"


def states(outcomes) -> list[str]:
    return [one["state"] for one in outcomes]


def assert_only_the_owner_reads(settings: Path) -> None:
    assert settings.stat().st_mode & 0o777 == 0o600
    assert "SECRET_KEY='never-to-be-seen'" in settings.read_text()


@contextmanager
def answering(fleet) -> Iterator[list[set[str]]]:
    """Ask all hosts again and again; give which were silent each time."""
    silent: list[set[str]] = []
    over = threading.Event()

    def answers(host: str) -> bool:
        try:
            fleet.ask(host)
        except OSError:
            return False
        return True

    def watch() -> None:
        while not over.is_set():
            silent.append({host for host in fleet.names if not answers(host)})
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield silent
    finally:
        over.set()
        watcher.join()


def test_hosts_come_to_serve_and_follow_every_change_one_by_one(fleet) -> None:
    wheel, before = fleet.wheel("1.0"), fleet.tree()
    planned = fleet.deploy("gateway", wheel, "--dry-run")
    assert fleet.tree() == before
    done = fleet.deploy("gateway", wheel, "--at-once", "2")
    assert states(done) == ["changed", "changed"]
    assert [one["steps"] for one in planned] == [one["done"] for one in done]
    for host in fleet.names:
        assert fleet.ask(host, "/ready").startswith("1.0")
        assert_only_the_owner_reads(fleet.root(host) / "etc/quetzalcore/quetzal.env")

    # Once more: nothing.
    before = fleet.tree()
    assert states(fleet.deploy("gateway", wheel)) == ["unchanged", "unchanged"]
    assert [one["steps"] for one in fleet.deploy("gateway", wheel, "--dry-run")] == [[], []]
    assert fleet.tree() == before

    # New settings: no new release, but new processes.
    first, second = fleet.names
    pid = fleet.ask(first).split()[-1]
    fleet.configure(QUETZAL_LOG_LEVEL="debug")
    (told,) = fleet.deploy("gateway", wheel, hosts=[first])
    assert told["done"][0] == "keep what is there"
    assert fleet.ask(first).split()[1] == "debug"
    assert fleet.ask(first).split()[-1] != pid

    # A new version, and then one that never gets ready: at every time somebody answers.
    with answering(fleet) as silent:
        fleet.deploy("gateway", fleet.wheel("2.0"))
        assert [fleet.ask(host)[:3] for host in fleet.names] == ["2.0", "2.0"]
        error = fleet.refusal("gateway", fleet.wheel("3.0", "never ready"))
    assert max(map(len, silent)) == 1
    assert isinstance(error, DeployFailed)
    failure = f"{first} is as before (could not wait until {GATEWAY} is well"
    assert failure in str(error)
    assert f"not touched: {second}" in str(error)
    assert [fleet.ask(host)[:3] for host in fleet.names] == ["2.0", "2.0"]
    assert states(fleet.deploy("gateway", fleet.wheel("2.0"))) == ["unchanged", "unchanged"]


def test_what_fails_on_a_fresh_host_leaves_nothing_running(fleet) -> None:
    one = fleet.names[:1]
    error = fleet.refusal("gateway", fleet.wheel("1.0", "ends"), hosts=one)
    assert "1.0 cannot run" in str(error)
    root = fleet.root(one[0])
    assert not (root / "opt/quetzalcore/current").exists()
    assert not (root / "etc/quetzalcore/quetzal.env").exists()
    assert not list((root / "opt/quetzalcore/run").glob("*.pid"))
    error = fleet.refusal("gateway", fleet.wheel("1.1", "no program"), hosts=one)
    assert f"{one[0]} is not touched (could not install release 1.1" in str(error)


@pytest.mark.faults
def test_a_run_that_was_cut_off_is_carried_on_and_can_still_be_taken_back(fleet) -> None:
    one = fleet.names[:1]
    two = ("--instances", "2", "--keep", "1")
    for version in ("1.0", "2.0"):
        fleet.deploy("gateway", fleet.wheel(version), *two, hosts=one)
    assert fleet.ask(one[0], port=8002).startswith("2.0")
    opt = fleet.root(one[0]) / "opt/quetzalcore"
    assert [path.name[:3] for path in (opt / "releases").iterdir()] == ["2.0"]

    (done,) = fleet.deploy("gateway", fleet.wheel("2.0"), hosts=one)
    assert "end quetzalcore-gateway@8002" in done["done"]
    with pytest.raises(OSError, match="refused"):
        fleet.ask(one[0], port=8002)

    old = (opt / "current").readlink()
    broken = fleet.wheel("3.0", "ends")
    fleet.cut_off_after("make 3.0", broken, hosts=one)
    assert (opt / "current").readlink() != old
    assert (opt / "undo").is_dir()
    fleet.refusal("gateway", broken, hosts=one)
    assert (opt / "current").readlink() == old  # not what the cut-off run had made current
    assert fleet.ask(one[0]).startswith("2.0")
    assert not (opt / "undo").exists()


def test_two_deployments_do_not_mix(fleet) -> None:
    one = fleet.names[:1]
    opt = fleet.root(one[0]) / "opt/quetzalcore"
    opt.mkdir(parents=True)
    with subprocess.Popen(
        ("flock", str(opt / "lock"), "cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write(b"here\n")
        other.stdin.flush()
        assert other.stdout.readline() == b"here\n"
        error = fleet.refusal("gateway", fleet.wheel("1.0"), hosts=one)
        other.stdin.close()
    assert "another deployment is at work" in str(error)
    assert list(opt.iterdir()) == [opt / "lock"]


def test_a_host_that_cannot_take_it_stops_all_before_any_is_touched(fleet) -> None:
    before = fleet.tree()
    error = fleet.refusal("gateway", fleet.wheel("1.0"), "--python", "python2.2")
    assert isinstance(error, HostUnfit)
    assert "there is no python2.2" in str(error)
    assert fleet.tree() == before


def test_a_worker_is_started_again_when_it_dies_and_ended_when_it_is_broken(fleet) -> None:
    one = fleet.names[:1]
    joining = {"HIVE_ORCHESTRATOR_URL": "http://192.0.2.1", "QUETZAL_JOIN_KEY": "qz_x"}
    fleet.configure(**joining)
    wheel = fleet.wheel("1.0")
    fleet.deploy("workers", wheel, hosts=one)
    run = fleet.root(one[0]) / "opt/quetzalcore/run"
    ends = run / "quetzalcore-hv.ends"
    assert ends.read_text() == ""
    keeper = (run / "quetzalcore-hv.pid").read_text().split()[0]
    space = fleet.hosts.spaces[one[0]]
    child = subprocess.check_output((*inside(space), "pgrep", "-P", keeper), text=True).strip()
    subprocess.run(("kill", "-KILL", child), check=True)
    children = (*inside(space), "pgrep", "-P", keeper, "quetzal")
    eventually(
        lambda: subprocess.run(children, capture_output=True, check=False).returncode == 0,
        within_s=10,
        what="the worker is started again",
    )
    assert ends.read_text() == "137\n"
    fleet.configure(STAND_IN="ends", **joining)
    error = fleet.refusal("workers", wheel, hosts=one)
    assert "cannot run" in str(error)
    assert (run / "quetzalcore-hv.pid").exists()
    assert ends.read_text() == ""  # it runs as before
