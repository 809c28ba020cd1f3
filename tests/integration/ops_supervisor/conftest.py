"""A supervisor as its own process, over children that are started in no time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.servers.platform import eventually

from quetzalcore.ops.supervisor.control import Request, StatusRequest
from quetzalcore.ops.supervisor.control_client import NoSupervisor, ask
from quetzalcore.ops.supervisor.plan import SupervisorPlan
from quetzalcore.ops.supervisor.slots import Patience

_TINY = Path(__file__).with_name("tiny.py")


class TinyPlatform:
    """A supervisor with a data folder of its own; every process of it carries the folder in its environment."""

    def __init__(self, folder: Path) -> None:
        self.run, self.logs = folder / "run", folder / "logs"
        self.run.mkdir(parents=True)
        self.logs.mkdir()
        self.plan = SupervisorPlan(
            run=self.run,
            logs=self.logs,
            commands={
                role: (sys.executable, "-S", str(_TINY), role) for role in ("gateway", "master")
            },
            instances=2,
            most_instances=4,
            host="127.0.0.1",
            port=0,
            master_host="127.0.0.1",
            master_port=0,
            shared=True,
            drain_s=0.0,
            started_at=0.0,
            patience=Patience(start_s=5.0, stop_s=3.0),
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(
        self, plan: SupervisorPlan | None = None, *, wait: bool = True, **environment: str
    ) -> None:
        plan = plan or self.plan
        with (self.logs / "platform.log").open("ab") as sink:
            self.process = subprocess.Popen(
                (sys.executable, "-m", "quetzalcore.cli.supervised", "--plan", plan.to_json()),
                env={**os.environ, "TINY": str(self.run), **environment},
                stdout=sink, stderr=sink, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        if wait:
            self.until(lambda _: (self.run / "platform.json").exists(), "everything is ready")

    def ask(self, request: Request) -> dict[str, Any]:
        return ask(self.run, request)

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = self.ask(StatusRequest())["status"]
        return status

    def process_of(self, name: str) -> dict[str, Any]:
        return next(one for one in self.status()["processes"] if one["name"] == name)

    def until(self, check: Callable[[dict[str, Any]], bool], what: str) -> None:
        def so() -> bool:
            assert self.process is None or self.process.poll() is None, self.said()
            try:
                return check(self.status())
            except NoSupervisor:
                return False

        eventually(so, within_s=15, what=what)

    def who(self, url: str) -> str:
        """Say which process answers there."""
        host, port = url.removeprefix("http://").rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10) as line:
            line.sendall(b"?")
            return line.recv(1024).decode()

    def said(self, service: str = "platform") -> str:
        return (self.logs / f"{service}.log").read_text()

    def alive(self) -> list[int]:
        """Give every process that this platform has started."""
        found = []
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("TINY") == str(self.run)
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
            except psutil.Error:
                continue
        return found

    def end(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(15)
        self.process = None
        return status


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[TinyPlatform]:
    platform = TinyPlatform(tmp_path / "data")
    yield platform
    if platform.process is not None:
        platform.end(signal.SIGKILL)
    eventually(lambda: not platform.alive(), within_s=5, what="no process is left")
