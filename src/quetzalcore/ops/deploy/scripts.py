"""The commands of a deployment: tuples of arguments around the shell of ``texts``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from quetzalcore.ops.deploy import texts
from quetzalcore.ops.deploy.model import Layout, Package, Service

__all__ = ["BUSY", "Commands"]

BUSY = 75
"""How taking the lock ends where another deployment is at work."""


class Commands:
    """Builds the commands for hosts of one layout; where there is no prefix they run as root."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def lock(self) -> tuple[str, ...]:
        """Hold the host's lock, say so, and let it go when standard input ends."""
        return self._script(texts.LOCK)

    def look(self, python: str, files: Iterable[str], services: Iterable[str]) -> tuple[str, ...]:
        """Tell what the host is like; it changes nothing."""
        return self._script(texts.LOOK, python, *files, "--", *services)

    def put(self, path: str, content: bytes, *, mode: str) -> tuple[str, ...]:
        """Write standard input to a file, whole or not at all."""
        return self._script(texts.PUT, path, mode, hashlib.sha256(content).hexdigest())

    def release(self, package: Package) -> tuple[str, ...]:
        """Make a release's environment from the wheel that has arrived."""
        wheel = self.wheel(package)
        asked = [
            "--quiet",
            "--no-input",
            "--disable-pip-version-check",
            "--root-user-action=ignore",
        ]
        if package.constraints:
            asked += ["--constraint", self._layout.constraints]
        if package.wheelhouse:
            asked += ["--no-index", "--find-links", package.wheelhouse]
        if package.packages:
            asked += ["--no-deps", "--no-index", wheel]
        else:
            asked.append(f"{wheel}[{package.extra}]")
        return self._script(
            texts.RELEASE, package.release, package.python, package.packages, wheel, *asked
        )

    def wheel(self, package: Package) -> str:
        """Give the path of a wheel that has arrived."""
        return f"{self._layout.opt}/incoming/{package.name}"

    def install_nginx(self) -> tuple[str, ...]:
        """Install nginx by the host's own packages."""
        return self._script(texts.INSTALL_NGINX)

    def add_user(self) -> tuple[str, ...]:
        """Make the user that roles without rights run as."""
        home = ("--home-dir", "/var/lib/quetzalcore", "--no-create-home")
        shell = ("--shell", "/usr/sbin/nologin")
        return self._rooted("useradd", "--system", "--user-group", *home, *shell, "quetzalcore")

    def snapshot(self, active: Iterable[str], files: Iterable[str]) -> tuple[str, ...]:
        """Keep what is to be changed, and which services run."""
        return self._script(texts.SNAPSHOT, *active, "--", *files)

    def link(self, release: str) -> tuple[str, ...]:
        """Make a release the current one."""
        return self._script(texts.LINK, release)

    def reload(self) -> tuple[str, ...]:
        """Have systemd read its units again."""
        return self._rooted("systemctl", "daemon-reload")

    def restart(self, service: Service) -> tuple[str, ...]:
        """Start a service anew."""
        stop_s = _seconds(service.stop_s)
        return self._script(texts.RESTART, service.name, stop_s, service.ready_url, texts.PROBE)

    def ready(self, service: Service, *, within_s: float) -> tuple[str, ...]:
        """Wait until a service is well."""
        return self._script(texts.READY, service.name, *_probe(service, within_s))

    def mark(self, name: str, mark: str) -> tuple[str, ...]:
        """Write down what a service runs with, now that it is well."""
        return self._script(texts.MARK, name, mark)

    def adopt(self, names: Sequence[str]) -> tuple[str, ...]:
        """Have services start with the host."""
        return self._script(texts.ADOPT, *names)

    def stop(self, name: str, *, stop_s: float) -> tuple[str, ...]:
        """End a service, and start it no more."""
        return self._script(texts.STOP, name, _seconds(stop_s))

    def restore(self, services: Iterable[Service]) -> tuple[str, ...]:
        """Put back what was kept; of these services those end that did not run."""
        ends = ((one.name, _seconds(one.stop_s)) for one in services)
        return self._script(texts.RESTORE, *(word for pair in ends for word in pair))

    def undo(self, service: Service, mark: str, *, within_s: float) -> tuple[str, ...]:
        """Have a service run as it did, if it did; one that still has its mark was not touched."""
        stop_s = _seconds(service.stop_s)
        return self._script(texts.UNDO, service.name, stop_s, *_probe(service, within_s), mark)

    def finish(self, releases: Iterable[str]) -> tuple[str, ...]:
        """Forget what was kept, and remove old releases."""
        return self._script(texts.FINISH, *releases)

    def _script(self, body: str, *arguments: str) -> tuple[str, ...]:
        manager = "none" if self._layout.prefix else "systemd"
        head = ("sh", "-c", texts.SHARED + body, "quetzal", self._layout.opt, manager)
        return self._rooted(*head, *arguments)

    def _rooted(self, *command: str) -> tuple[str, ...]:
        if self._layout.prefix:
            return command
        return ("sh", "-c", texts.AS_ROOT, "quetzal", *command)


def _probe(service: Service, within_s: float) -> tuple[str, ...]:
    settle = f"{service.settle_s:g}"
    return service.ready_url, _seconds(within_s), settle, texts.PROBE


def _seconds(value: float) -> str:
    return str(max(1, round(value)))
