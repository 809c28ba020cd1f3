"""A real Redis on a free port, ended by pid."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_START_LIMIT_S = 20.0


def free_port(host: str = "127.0.0.1") -> int:
    """Give a port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=1.0) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


@contextmanager
def running_redis(host: str = "127.0.0.1") -> Iterator[str]:
    """Run a Redis without persistence; give its URL."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.fail("redis-server is missing: apt-get install redis-server")
    port = free_port(host)
    with tempfile.TemporaryDirectory(prefix="quetzal-redis-") as folder:
        command = (
            *(program, "--bind", host, "--port", str(port), "--dir", folder),
            *("--save", "", "--appendonly", "no", "--daemonize", "no", "--protected-mode", "no"),
        )
        with (Path(folder) / "log").open("wb") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            give_up_at = time.monotonic() + _START_LIMIT_S
            while not _answers(host, port):
                if server.poll() is not None or time.monotonic() > give_up_at:
                    pytest.fail(f"Redis did not start: {(Path(folder) / 'log').read_text()}")
                time.sleep(0.02)
            yield f"redis://{host}:{port}/0"
        finally:
            server.terminate()
            try:
                server.wait(10.0)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Give the URL of a Redis that the whole session shares; use keys of your own."""
    with running_redis() as url:
        yield url
