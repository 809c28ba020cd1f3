"""A cluster by its own commands: gateway and master here, each worker in a network namespace of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.servers import s3
from tests.servers.netns import Network, inside, private_network
from tests.servers.platform import PlatformProcesses, eventually, platform_processes
from tests.servers.redis import free_port

from quetzalcore.cluster.ray_process import marked_processes

__all__ = ["Cluster", "running_cluster"]

_NAMED = 'hostname "$1" && shift && exec "$@"'
_RUN = "from quetzalcore.cli.main import run; run()"
_SIZE = {
    "QUETZAL_WORKER_CPUS": "2",
    "QUETZAL_WORKER_MEMORY_MIB": "4096",
    "QUETZAL_WARM_NUMERIC": "0",
}
_UP_S = 120.0
_STOP_S = 30.0


class Cluster:
    """Workers that join by ``quetzal worker --join``, and the platform that they join."""

    def __init__(self, platform: PlatformProcesses, network: Network) -> None:
        self.platform = platform
        self._network = network
        self._gateway = f"http://{network.gateway}:{platform.port}"
        self._key = ""
        self._spaces: dict[str, str] = {}
        self._workers: dict[str, subprocess.Popen[bytes]] = {}

    def open(self) -> None:
        """Start master and gateway, and make the key that workers join with."""
        public = {"QUETZAL_PUBLIC_URL": self._gateway}
        self.platform.start("master", **public)
        self.platform.start("gateway", "--host", "0.0.0.0", **public)  # noqa: S104 -- the bridge is in nobody's reach
        self.platform.ready()
        made = self.platform.quetzal("key", "create", "--user", "admin", "--join")
        assert made.returncode == 0, made.stderr
        self._key = made.stdout.split()[-1]
        eventually(self._head_is_up, within_s=_UP_S, what="the Ray head is up")

    def join(self, *names: str) -> None:
        """Let hosts of these names join, the same again after a loss; wait until all are ready."""
        for name in names:
            self._start(name)
        eventually(
            lambda: self._check_workers() and set(names) <= self.ready_nodes(),
            within_s=_UP_S,
            what=f"{', '.join(names)} are ready",
        )

    def ready_nodes(self) -> set[str]:
        """Give the nodes that take work, as the API lists them."""
        with self.platform.client() as client:
            return {node["id"] for node in client.list_nodes()["items"] if node["ready"]}

    def cut_power(self, name: str) -> None:
        """End everything on a host at once."""
        self._network.kill(self._spaces[name])
        self._workers.pop(name).wait(_STOP_S)

    def left_of_ray(self) -> tuple[int, ...]:
        """Give the processes of Ray nodes that still run."""
        ray = [
            self.platform.folder / "ray" / "head",
            *(self._home(n) / "ray" for n in self._spaces),
        ]
        return tuple(pid for folder in ray for pid in marked_processes(folder))

    def close(self) -> None:
        """End the workers as an operator does, then the rest."""
        for worker in self._workers.values():
            worker.send_signal(signal.SIGTERM)
        for name, worker in self._workers.items():
            try:
                worker.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._network.kill(self._spaces[name])
                worker.wait()
        self._workers.clear()
        self.platform.close()

    def _start(self, name: str) -> None:
        if name not in self._spaces:
            self._spaces[name] = self._network.host(len(self._spaces) + 1)[0]
        home = self._home(name)
        home.mkdir(parents=True, exist_ok=True)
        joining = ("worker", "--join", self._gateway, "--key", self._key)
        command = (sys.executable, "-c", _RUN, *joining)
        with (home / "worker.out").open("ab") as sink:
            self._workers[name] = subprocess.Popen(
                (*inside(self._spaces[name]), "unshare", "--uts", "sh", "-c", _NAMED, "sh", name, *command),
                env=os.environ | _SIZE | {"QUETZAL_DATA_DIR": str(home)},  # no credentials but the key
                stdout=sink,
                stderr=sink,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def _home(self, name: str) -> Path:
        return self.platform.folder / name

    def _head_is_up(self) -> bool:
        self.platform.check_roles()
        said = (self.platform.folder / "master.out").read_text(errors="replace")
        return "master.starting" in said

    def _check_workers(self) -> bool:
        self.platform.check_roles()
        for name, worker in self._workers.items():
            if worker.poll() is not None:
                said = (self._home(name) / "worker.out").read_text(errors="replace")[-3000:]
                raise AssertionError(f"{name} ended with {worker.returncode}:\n{said}")
        return True


@contextmanager
def running_cluster(
    settings: Mapping[str, str] | None = None, *, on_s3: bool = True
) -> Iterator[Cluster]:
    """Give an open cluster without workers, its files on S3 or in the master's folder; leave no process."""
    folder = Path(tempfile.mkdtemp(prefix="qr-", dir="/tmp"))
    try:
        with ExitStack() as stack:
            network = stack.enter_context(private_network())
            given = {
                "QUETZAL_ENGINE": "ray",
                "QUETZAL_RAY_HOST": network.gateway,
                "QUETZAL_RAY_PORT": str(free_port(network.gateway)),
                **(settings or {}),
            }
            if on_s3:
                given |= stack.enter_context(_bucket(network.gateway, folder / "s3.log"))
            yield from _opened(folder / "d", given, network)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _opened(folder: Path, settings: Mapping[str, str], network: Network) -> Iterator[Cluster]:
    for platform in platform_processes(folder, settings):
        cluster = Cluster(platform, network)
        try:
            cluster.open()
            yield cluster
        finally:
            cluster.close()
        assert cluster.left_of_ray() == ()


@contextmanager
def _bucket(host: str, log: Path) -> Iterator[dict[str, str]]:
    process, endpoint = s3.started(log, host=host)
    try:
        server = s3.S3Server(endpoint=endpoint, pid=process.pid)
        client = server.client()
        client.create_bucket(Bucket=server.bucket)
        client.close()
        yield {
            "QUETZAL_ARTIFACTS_URL": server.url("cluster"),
            "QUETZAL_S3_ACCESS_KEY_ID": s3.ACCESS_KEY_ID,
            "QUETZAL_S3_SECRET_ACCESS_KEY": s3.SECRET_ACCESS_KEY,
        }
    finally:
        s3.stopped(process)
