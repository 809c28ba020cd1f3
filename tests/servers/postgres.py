"""A real PostgreSQL server for tests: its own folder, its own port, ended by pid."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

__all__ = ["Postgres", "postgres_url"]

_START_S = 30.0


@dataclass
class Postgres:
    """A server that can be started, killed and started again on the same data."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def url(self) -> str:
        """The URL of its first database; the user may make others."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @classmethod
    def create(cls, *, settings: tuple[str, ...] = ()) -> Postgres:
        """Make a server's folder and start it."""
        folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        initdb = [_binary("initdb"), "-D", str(folder / "data"), "-A", "trust", "-U", "postgres"]
        subprocess.run(_as_owner([*initdb, "-N"]), check=True, stdout=subprocess.DEVNULL)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = cls(folder=folder, port=port)
        server.start(settings=settings)
        return server

    def start(self, *, settings: tuple[str, ...] = ()) -> None:
        """Start the server and wait until it answers."""
        options = (
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self.folder}",
            "fsync=off",  # outlives a killed server, not a lost machine: enough here, and faster
        )
        command = [_binary("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        for option in (*options, *settings):
            command += ["-c", option]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(_as_owner(command), stdout=log, stderr=log)
        ready = [_binary("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        deadline = time.monotonic() + _START_S
        while subprocess.run(ready, check=False).returncode != 0:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError((self.folder / "log").read_text())
            time.sleep(0.05)

    def kill(self) -> None:
        """End the server as a crash would: SIGKILL to the first process; the others follow it."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End the server at once, in order."""
        self._end(signal.SIGINT)

    def remove(self) -> None:
        """End the server and delete its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        pid_file = self.folder / "data" / "postmaster.pid"
        if pid_file.exists():
            os.kill(int(pid_file.read_text().split()[0]), how)
        self.process.wait(timeout=_START_S)
        self.process = None
        if how is signal.SIGKILL:
            time.sleep(0.2)  # its children notice by themselves and let go of the shared memory
            pid_file.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Give the URL of a running server; make a database of your own in it."""
    server = Postgres.create()
    yield server.url
    server.remove()


def _binary(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")) or [
        Path(shutil.which(name) or name)
    ]
    return str(found[-1])


def _as_owner(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["runuser", "-u", "postgres", "--", *command] if os.getuid() == 0 else command
