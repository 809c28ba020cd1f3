"""``quetzal up --instances 2`` as a user has it, without nginx: one public socket that the instances share."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.servers.platform import PlatformProcesses, eventually, platform_processes

from quetzalcore.ops.supervisor.control import StatusRequest
from quetzalcore.ops.supervisor.control_client import ask

LIGHT = {
    "QUETZAL_BALANCER": "socket",
    "QUETZAL_AUTO_SCALE": "false",
    "QUETZAL_WARM_BARE": "0",
    "QUETZAL_WARM_NUMERIC": "0",
}


class Trickle(threading.Thread):
    """Requests one after the other, over a kept connection and over new ones."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._over = threading.Event()
        self.answered = 0
        self.failures: list[str] = []

    def run(self) -> None:
        with httpx.Client(timeout=20) as kept:
            while not self._over.wait(0.03):
                for get in (kept.get, httpx.get):
                    try:
                        get(f"{self._url}/live").raise_for_status()
                        self.answered += 1
                    except httpx.HTTPError as error:
                        self.failures.append(repr(error))

    def end(self) -> None:
        self._over.set()
        self.join(30)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[PlatformProcesses]:
    for processes in platform_processes(tmp_path / "data", LIGHT):
        processes.start("up", "--instances", "2", "--workers", "1", "--foreground", name="up")
        processes.ready()
        yield processes


def running(platform: PlatformProcesses) -> dict[str, dict]:
    status = ask(platform.files.run, StatusRequest())["status"]
    return {process["name"]: process for process in status["processes"]}


def test_instances_are_restarted_replaced_and_ended(platform: PlatformProcesses) -> None:
    eventually(lambda: platform.files.running() is not None, within_s=30, what="all is ready")
    first = running(platform)
    assert set(first) == {"master", "gateway-1", "gateway-2"}
    trickle = Trickle(platform.url)
    trickle.start()
    try:
        restarted = platform.quetzal("restart")
        assert restarted.returncode == 0, restarted.stderr
    finally:
        trickle.end()
    assert trickle.failures == []
    assert trickle.answered > 20
    second = running(platform)
    for name in ("gateway-1", "gateway-2"):
        assert second[name]["id"] != first[name]["id"]
        assert second[name]["url"] == first[name]["url"]

    os.kill(second["gateway-2"]["pid"], signal.SIGKILL)
    answer = httpx.get(f"{second['gateway-2']['url']}/live", timeout=30)
    assert answer.status_code == 200, "the socket keeps who knocks until the next one serves"
    third = running(platform)
    assert third["gateway-2"]["restarts"] == 1
    assert third["gateway-1"]["pid"] == second["gateway-1"]["pid"]

    agent = platform.agent_pid()
    assert platform.quetzal("down").stdout.strip() == "Stopped."
    platform.kill("up", signal.SIGTERM)  # it has ended: only its parent has to hear of it
    assert not Path(f"/proc/{agent}").exists()
    assert platform.orphans() == []


def test_a_start_that_cannot_be_says_why(tmp_path: Path) -> None:
    for processes in platform_processes(tmp_path / "data", LIGHT):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", processes.port))
            taken.listen()
            refused = processes.quetzal("up", "--instances", "2")
        assert refused.returncode == 1
        assert f"127.0.0.1:{processes.port} cannot be listened on" in refused.stderr
