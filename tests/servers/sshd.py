"""A real OpenSSH server on loopback addresses, with keys of its own, ended by pid."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.servers.netns import inside, pids_in, private_network
from tests.servers.redis import free_port

__all__ = ["SshHosts", "SshServer", "running_sshd", "ssh_hosts", "ssh_server"]

_START_LIMIT_S = 20.0
_OWN_SRV = 'mount --bind "$1" /srv && shift && exec "$@"'
_PRIVILEGE_SEPARATION = Path("/run/sshd")


@dataclass(frozen=True, slots=True, kw_only=True)
class SshServer:
    """Hosts that are this one: each address has a folder of its own, in which every login begins."""

    hosts: dict[str, Path]  # address -> folder
    port: int
    identity: Path
    known_hosts: Path
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SshHosts:
    """Hosts with a network and a folder /srv of their own each; a server listens on port 22."""

    spaces: dict[str, str]  # address -> namespace of its network
    folders: dict[str, Path]  # address -> what it sees as /srv
    pids: frozenset[int]  # of the servers
    identity: Path
    known_hosts: Path

    def clear(self) -> None:
        """Make the hosts as if they were new: nothing runs but SSH, and their folders are empty."""
        for space in self.spaces.values():
            while running := {*pids_in(space)} - self.pids:
                for pid in running:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        for folder in self.folders.values():
            for path in folder.iterdir():
                shutil.rmtree(path)


@contextmanager
def ssh_hosts(count: int) -> Iterator[SshHosts]:
    """Run so many hosts; what was started on one ends with it."""
    with private_network() as network, tempfile.TemporaryDirectory(prefix="quetzal-ssh-") as name:
        _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        folder = Path(name)
        for key in ("host_key", "identity"):
            _keygen(folder / key)
        spaces = {address: space for space, address in map(network.host, range(count))}
        folders = {address: folder / f"host{number}" for number, address in enumerate(spaces)}
        public = " ".join((folder / "host_key.pub").read_text().split()[:2])
        (folder / "known_hosts").write_text("".join(f"{host} {public}\n" for host in spaces))
        pids = set()
        with ExitStack() as servers:
            for address, space in spaces.items():
                own = folder / f"server-{address}"
                own.mkdir()
                folders[address].mkdir()
                config = _config(folder, {address: Path("/srv")}, 22)
                mounted = ("sh", "-c", _OWN_SRV, "sh", str(folders[address]))
                before = (*inside(space), "unshare", "--mount", "--", *mounted)
                pids.add(servers.enter_context(_server(own, config, before=before)))
            yield SshHosts(
                spaces=spaces,
                folders=folders,
                pids=frozenset(pids),
                identity=folder / "identity",
                known_hosts=folder / "known_hosts",
            )
        for space in spaces.values():  # before their folders go
            network.kill(space)


@contextmanager
def running_sshd(count: int = 1) -> Iterator[SshServer]:
    """Run a server that answers as ``count`` hosts, 127.0.0.2 and on."""
    _PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="quetzal-sshd-") as name:
        folder = Path(name)
        hosts = {f"127.0.0.{2 + number}": folder / f"host{number}" for number in range(count)}
        for place in hosts.values():
            place.mkdir()
        for key in ("host_key", "identity"):
            _keygen(folder / key)
        port = free_port("127.0.0.2")
        public = (folder / "host_key.pub").read_text().split()[:2]
        (folder / "known_hosts").write_text(
            "".join(f"[{host}]:{port} {' '.join(public)}\n" for host in hosts)
        )
        with _server(folder, _config(folder, hosts, port)) as pid:
            yield SshServer(
                hosts=hosts,
                port=port,
                identity=folder / "identity",
                known_hosts=folder / "known_hosts",
                pid=pid,
            )


@contextmanager
def _server(folder: Path, config: str, *, before: tuple[str, ...] = ()) -> Iterator[int]:
    program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None:
        pytest.fail("sshd is missing: apt-get install openssh-server")
    (folder / "sshd_config").write_text(config)
    log = folder / "log"
    with log.open("wb") as file:
        server = subprocess.Popen(
            (*before, program, "-D", "-e", "-f", str(folder / "sshd_config")),
            stdout=file,
            stderr=file,
            stdin=subprocess.DEVNULL,
        )
    try:
        _wait_until_it_listens(server, log)
        yield server.pid
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
