"""Hosts with networks of their own, and the command that deploys to them."""

from __future__ import annotations

import hashlib
import http.client
import json
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.servers.sshd import SshHosts, ssh_hosts
from tests.servers.wheels import stand_in_wheel
from typer.testing import CliRunner, Result

from quetzalcore.cli.main import app
from quetzalcore.errors import QuetzalError

_PROGRAM = Path(__file__).with_name("stand_in.py").read_text("utf-8")
_PREFIX = "/srv/quetzal"
_SHAPE = ("--instances", "1", "--bind", "0.0.0.0", "--no-balancer")  # noqa: S104 -- only neighbours reach it
_RUN = "from quetzalcore.cli.main import run; run()"


class Fleet:
    """Some hosts and how they are deployed to."""

    def __init__(self, hosts: SshHosts, folder: Path) -> None:
        self.hosts = hosts
        self.names = list(hosts.spaces)
        self._folder = folder
        self.config = folder / "quetzal.env"
        self.configure()

    def configure(self, **more: str) -> None:
        values = {"QUETZAL_ENV": "production", "SECRET_KEY": "never-to-be-seen", **more}
        self.config.write_text("".join(f"{name}={value}\n" for name, value in values.items()))

    def wheel(self, version: str, trouble: str = "") -> Path:
        said = f'VERSION, TROUBLE = "{version}", "{trouble}"'
        program = _PROGRAM.replace('VERSION, TROUBLE = "0", ""', said)
        return stand_in_wheel(self._folder, version, program)

    def options(self, wheel: Path, hosts: list[str] | None) -> list[str]:
        return [
            *("--hosts", ",".join(hosts or self.names), "--prefix", _PREFIX),
            *("--identity", str(self.hosts.identity)),
            *("--known-hosts", str(self.hosts.known_hosts), "--user", "root"),
            *("--python", sys.executable, "--packages", sysconfig.get_paths()["purelib"]),
            *("--wheel", str(wheel), "--config", str(self.config), "--ready-within", "2"),
        ]

    def deploy(
        self, role: str, wheel: Path, *given: str, hosts: list[str] | None = None
    ) -> list[dict[str, object]]:
        """Run the command; give what its JSON says of the hosts."""
        result = self._run(role, wheel, given, hosts)
        assert result.exception is None, (result.output, result.exception)
        found: list[dict[str, object]] = json.loads(result.stdout)["hosts"]
        return found

    def refusal(
        self, role: str, wheel: Path, *given: str, hosts: list[str] | None = None
    ) -> QuetzalError:
        """Run the command; give the error that it ends with."""
        result = self._run(role, wheel, given, hosts)
        assert isinstance(result.exception, QuetzalError), result.output
        return result.exception

    def _run(
        self, role: str, wheel: Path, given: tuple[str, ...], hosts: list[str] | None
    ) -> Result:
        shape: tuple[str, ...] = ("--settle", "0.5")
        if role == "gateway":
            shape = () if "--listen" in given else _SHAPE
        options = [*self.options(wheel, hosts), *shape, "--json", *given]
        result = CliRunner().invoke(app, ["deploy", role, *options])
        assert "never-to-be-seen" not in result.output + str(result.exception)
        return result

    def cut_off_after(self, step: str, wheel: Path, *, hosts: list[str]) -> None:
        """Deploy gateways, and kill the command once it has begun what comes after this step."""
        options = (*self.options(wheel, hosts), *_SHAPE)
        command = (sys.executable, "-c", _RUN, "deploy", "gateway", *options)
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if f": {step}" in line:
                    process.stderr.readline()
                    process.kill()
                    return
        pytest.fail(f"it never came to {step}")

    def ask(self, host: str, path: str = "/", port: int = 8001) -> str:
        """Give what an instance says."""
        line = http.client.HTTPConnection(host, port, timeout=5)
        try:
            line.request("GET", path)
            answer = line.getresponse()
            said = answer.read().decode()
            assert answer.status == 200, said
            return said
        finally:
            line.close()

    def root(self, host: str) -> Path:
        return self.hosts.folders[host] / "quetzal"

    def tree(self) -> str:
        """Give a digest of all that lies on the hosts."""
        made = hashlib.sha256()
        for folder in self.hosts.folders.values():
            for path in sorted(folder.rglob("*")):
                about = path.lstat()
                made.update(f"{path} {about.st_mode} {about.st_mtime_ns}".encode())
                if path.is_file() and not path.is_symlink():
                    made.update(path.read_bytes())
        return made.hexdigest()


@pytest.fixture(scope="session")
def two_hosts() -> Iterator[SshHosts]:
    with ssh_hosts(2) as hosts:
        yield hosts


@pytest.fixture
def fleet(two_hosts: SshHosts, tmp_path: Path) -> Iterator[Fleet]:
    try:
        yield Fleet(two_hosts, tmp_path)
    finally:
        two_hosts.clear()
