"""A real OpenSSH server on loopback addresses, with keys of its own, ended by pid."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.servers.redis import free_port

__all__ = ["SshServer", "running_sshd", "ssh_server"]

_START_LIMIT_S = 20.0
_PRIVILEGE_SEPARATION = Path("/run/sshd")


@dataclass(frozen=True, slots=True, kw_only=True)
class SshServer:
    """Hosts that are this one: each address has a folder of its own, in which every login begins."""

    hosts: dict[str, Path]  # address -> folder
    port: int
    identity: Path
    known_hosts: Path
    pid: int


@contextmanager
def running_sshd(count: int = 1) -> Iterator[SshServer]:
    """Run a server that answers as ``count`` hosts, 127.0.0.2 and on."""
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None:
        pytest.fail("sshd is missing: apt-get install openssh-server")
    _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="quetzal-sshd-") as name:
        folder = Path(name)
        hosts = {f"127.0.0.{2 + number}": folder / f"host{number}" for number in range(count)}
        for place in hosts.values():
            place.mkdir()
        for key in ("host_key", "identity"):
            _keygen(folder / key)
        port = free_port("127.0.0.2")
        (folder / "sshd_config").write_text(_config(folder, hosts, port))
        public = (folder / "host_key.pub").read_text().split()[:2]
        (folder / "known_hosts").write_text(
            "".join(f"[{host}]:{port} {' '.join(public)}\n" for host in hosts)
        )
        log = folder / "log"
        with log.open("wb") as file:
            server = subprocess.Popen(
                (program, "-D", "-e", "-f", str(folder / "sshd_config")),
                stdout=file,
                stderr=file,
                stdin=subprocess.DEVNULL,
            )
        try:
            _wait_until_it_listens(server, log)
            yield SshServer(
                hosts=hosts,
                port=port,
                identity=folder / "identity",
                known_hosts=folder / "known_hosts",
                pid=server.pid,
            )
        finally:
            server.terminate()
            try:
                server.wait(10.0)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _keygen(path: Path) -> None:
    command = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path))
    subprocess.run(command, check=True)


def _config(folder: Path, hosts: dict[str, Path], port: int) -> str:
    """Let a login on each address begin in its own folder, as if it were a home of its own."""
    shared = (
        f"Port {port}",
        *(f"ListenAddress {host}" for host in hosts),
        f"HostKey {folder / 'host_key'}",
        f"AuthorizedKeysFile {folder / 'identity.pub'}",
        *("PidFile none", "UsePAM no", "StrictModes no", "PermitRootLogin yes"),
        *("PasswordAuthentication no", "KbdInteractiveAuthentication no"),
        *("MaxStartups 200", "UseDNS no", "PrintMotd no"),
    )
    own = (
        f"Match LocalAddress {host}\n  SetEnv HOME={place}\n"
        f'  ForceCommand cd {place} && exec sh -c "$SSH_ORIGINAL_COMMAND"'
        for host, place in hosts.items()
    )
    return "\n".join((*shared, *own, ""))


def _wait_until_it_listens(server: subprocess.Popen[bytes], log: Path) -> None:
    give_up_at = time.monotonic() + _START_LIMIT_S
    while "Server listening" not in log.read_text():
        if server.poll() is not None or time.monotonic() > give_up_at:
            pytest.fail(f"sshd did not start: {log.read_text()}")
        time.sleep(0.02)


@pytest.fixture(scope="session")
def ssh_server() -> Iterator[SshServer]:
    """Give a server that answers as three hosts."""
    with running_sshd(3) as server:
        yield server
