"""The platform as real processes: roles started on free ports, killed by pid, and looked at from outside."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
import psutil

from quetzalcore.cli.connection import kept_key
from quetzalcore.cli.host_files import HostFiles
from quetzalcore.client import QuetzalClient
from quetzalcore.hypervisor.cgroups import PREFIX

_RUN = "from quetzalcore.cli.main import run; run()"
_GROUPS = Path("/sys/fs/cgroup")
_OWNER = re.compile(rf"{PREFIX}.*-(\d+)-\d+")  # an agent's pid in the name of its groups
_READY_S = 60.0
_STOP_S = 30.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(check: Callable[[], bool], *, within_s: float, what: str) -> None:
    """Wait until something is so; say what was waited for if it never is."""
    deadline = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < deadline, f"waited {within_s:g} s for: {what}"
        time.sleep(0.05)


def groups_of_the_dead() -> set[str]:
    """Give the control groups of agents that do not live any more."""
    found = set()
    for folder, below, _ in os.walk(_GROUPS):
        for name in [name for name in below if name.startswith(PREFIX)]:
            below.remove(name)
            owner = _OWNER.fullmatch(name)
            if owner and not psutil.pid_exists(int(owner[1])):
                found.add(str(Path(folder, name)))
    return found


def is_walled(pid: int) -> bool:
    """Say whether a process is in a control group of a VM."""
    try:
        return f"/{PREFIX}" in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False


class PlatformProcesses:
    """Gateways, masters and whatever they start, in one data folder."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.files = HostFiles(root=folder)
        self.port = free_port()
        self.master_port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._roles: dict[str, subprocess.Popen[bytes]] = {}
        self._foreign_groups = frozenset(groups_of_the_dead())
        self._environment = {
            **os.environ,
            "QUETZAL_DATA_DIR": str(folder),
            "QUETZAL_PORT": str(self.port),
            "QUETZAL_MASTER_PORT": str(self.master_port),
            **(environment or {}),
        }

    def start(self, *arguments: str, name: str = "", **environment: str) -> subprocess.Popen[bytes]:
        """Start ``quetzal ARGUMENTS`` under a name, by default the first argument."""
        name = name or arguments[0]
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{name}.out").open("ab") as sink:
            process = subprocess.Popen(
                (sys.executable, "-c", _RUN, *arguments),
                env={**self._environment, **environment},
                stdout=sink,
                stderr=sink,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._roles[name] = process
        return process

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a role and wait for its end."""
        process = self._roles.pop(name)
        process.send_signal(number)
        process.wait(_STOP_S)

    def setting(self, name: str) -> str:
        """Give what a role finds in its environment."""
        return self._environment[name]

    def pid(self, name: str) -> int:
        return self._roles[name].pid

    def agent_pid(self) -> int:
        return int((self.files.vms / "agent.pid").read_text())

    def vm_pids(self) -> list[int]:
        """Give the processes that the agent has put into control groups: VMs, idle ones too."""
        try:
            children = psutil.Process(self.agent_pid()).children(recursive=True)
        except (psutil.NoSuchProcess, FileNotFoundError, ValueError):
            return []
        return [child.pid for child in children if is_walled(child.pid)]

    def ready(self) -> None:
        """Wait until the gateway serves."""

        def answers() -> bool:
            self.check_roles()
            try:
                return httpx.get(f"{self.url}/ready").status_code == 200
            except httpx.TransportError:
                return False

        eventually(answers, within_s=_READY_S, what="the gateway is ready")

    def check_roles(self) -> None:
        for name, process in self._roles.items():
            if process.poll() is not None:
                said = (self.folder / f"{name}.out").read_text(errors="replace")[-3000:]
                raise AssertionError(f"{name} ended with {process.returncode}:\n{said}")

    def client(self, key: str = "") -> QuetzalClient:
        return QuetzalClient(self.url, key or kept_key(self.files))

    def quetzal(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            (sys.executable, "-c", _RUN, *arguments),
            env=self._environment, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    def close(self) -> None:
        """End every role and the agent; whatever else is left is an orphan."""
        for name in list(self._roles):
            self._roles[name].send_signal(signal.SIGTERM)
        for name, process in list(self._roles.items()):
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            del self._roles[name]
        self.end_agent()

    def end_agent(self) -> None:
        try:
            agent = psutil.Process(self.agent_pid())
            if "agent_process" not in " ".join(agent.cmdline()):
                return
            agent.terminate()
            agent.wait(_STOP_S)
        except (psutil.NoSuchProcess, FileNotFoundError, ValueError):
            return

    def orphans(self) -> list[str]:
        """Give what is left of this data folder: processes, mounts, and groups whose agent is dead."""
        processes = [
            f"{process.pid} {' '.join(process.cmdline())[:200]}"
            for process in psutil.process_iter()
            if process.pid != os.getpid() and self._belongs(process)
        ]
        mounts = [
            line
            for line in Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
            if str(self.folder) in line
        ]
        return [*processes, *mounts, *(groups_of_the_dead() - self._foreign_groups)]

    def _belongs(self, process: psutil.Process) -> bool:
        marker = str(self.folder)
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            links = f"{process.environ().get('QUETZAL_DATA_DIR', '')} {' '.join(process.cmdline())}"
            mounts = Path(f"/proc/{process.pid}/mountinfo").read_text(errors="replace")
        except (psutil.Error, OSError):
            return False
        ours = Path("/proc/self/ns/mnt").stat().st_ino
        theirs = Path(f"/proc/{process.pid}/ns/mnt").stat().st_ino
        return marker in links or (ours != theirs and marker in mounts)


def platform_processes(
    folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[PlatformProcesses]:
    """Give a platform's processes and end them; fail if an orphan is left."""
    platform = PlatformProcesses(folder, environment)
    try:
        yield platform
    finally:
        platform.close()
    eventually(lambda: not platform.orphans(), within_s=20, what=f"no orphan: {platform.orphans()}")
