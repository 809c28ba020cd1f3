"""Three hosts behind a real SSH server; workers that only sleep."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from tests.integration.autoscaler_providers.grounds.ground import START, Ground, now
from tests.servers.redis import free_port
from tests.servers.sshd import SshServer

from quetzalcore.autoscaler.host_scripts import launch_input
from quetzalcore.autoscaler.marks import Mark
from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.provider import Provider
from quetzalcore.autoscaler.provider_settings import HostsSettings
from quetzalcore.autoscaler.providers.hosts import HostsProvider
from quetzalcore.autoscaler.worker_start import WorkerAccess

__all__ = ["HostsGround"]

_ACCESS = WorkerAccess(join_url="http://127.0.0.1:8000", join_key="qz_test")
_naps = itertools.count(os.getpid() * 1000)
_SHAPE = Shape(name="host", cpus=1.0, memory_mib=256)


class HostsGround(Ground):
    """A host's state is the folder ``worker`` where logins begin."""

    def __init__(self, server: SshServer) -> None:
        super().__init__()
        self.server = server
        self.nap = f"600.{next(_naps)}"  # by which we find processes that were left behind

    def settings(self, **changed: Any) -> HostsSettings:  # noqa: ANN401 -- any field
        values = {
            "hosts": tuple(self.server.hosts),
            "user": "root",
            "port": self.server.port,
            "identity_file": self.server.identity,
            "known_hosts_file": self.server.known_hosts,
            "folder": "worker",
            "command": ("sleep", self.nap),
            "stop_s": 5.0,
        }
        return HostsSettings.model_validate({**values, **changed})

    def build(self, **changed: Any) -> Provider:  # noqa: ANN401 -- any field
        return HostsProvider(self.settings(**changed), _ACCESS, now=now)

    def build_broken(self) -> Provider:
        return self.build(command=("/nothing/here",))

    def build_unreachable(self) -> Provider:
        return self.build(port=free_port())

    async def fill(self) -> Provider:
        for place in self.places():
            self.occupy(place, "filler")
        return self.provider()

    async def add_foreign(self) -> str:
        self.occupy(self.places()[0], "foreign")
        return "foreign"

    async def foreign(self) -> set[str]:
        return {name for name in self._names() if name == "foreign"}

    async def traces(self) -> set[str]:
        marked = {name for name in self._names() if name.startswith("order")}
        spilt = {
            f"{place}/{left}"
            for place in self.places()
            for left in ("pid", "worker.env")
            if (place / left).exists() and not (place / "mark").exists()
        }
        stray = {f"process {number}" for number in range(len(self.workers()) - len(marked))}
        return marked | spilt | stray

    async def clear(self) -> None:
        await asyncio.to_thread(self._clear)

    def workers(self) -> list[int]:
        """Give the processes that sleep as our workers do, wherever they came from."""
        wanted = ["sleep", self.nap]
        return [process.pid for process in psutil.process_iter() if _command(process) == wanted]

    def environment(self, pid: int) -> dict[str, str]:
        return psutil.Process(pid).environ()

    def places(self) -> list[Path]:
        return [folder / "worker" for folder in self.server.hosts.values()]

    def occupy(self, place: Path, name: str) -> None:
        """Let another installation's worker have a host."""
        mark = Mark(cluster="another", order=name, epoch=1, launched_at=START, shape=_SHAPE)
        place.mkdir(exist_ok=True)
        (place / "mark").write_bytes(launch_input(mark, ""))

    def _names(self) -> list[str]:
        marks = [place / "mark" for place in self.places()]
        return [mark.read_text().splitlines()[0] for mark in marks if mark.exists()]

    def _clear(self) -> None:
        for pid in self.workers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for place in self.places():
            shutil.rmtree(place, ignore_errors=True)


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it is gone, or a zombie
        return []
