"""From what a host is like to what is still to be done: pure, and nothing where nothing is to be done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from quetzalcore.ops.deploy.files import files_for
from quetzalcore.ops.deploy.model import (
    Facts,
    HostPlan,
    HostUnfit,
    Service,
    Step,
    Wish,
    digest,
)
from quetzalcore.ops.deploy.scripts import Commands

__all__ = ["plan_host", "service_names"]

_OLDEST_PYTHON = (3, 11)
_BUILD_S = 1800.0
_INSTALL_S = 600.0
_ANSWER_S = 30.0
_STOP_S = 40.0
_GATEWAY = "quetzalcore-gateway@"
_BALANCER = "quetzalcore-balancer"


def service_names(wish: Wish) -> tuple[str, ...]:
    """Give the names of the services that hosts shall run."""
    return tuple(service.name for service in wish.services)


def plan_host(facts: Facts, wish: Wish) -> HostPlan:
    """Give the steps from what a host is like to what it shall be like.

    Raises
    ------
    HostUnfit
        If the host lacks something that is not installed here, or has something that is not ours.
    """
    _check(facts, wish)
    return _Planner(facts, wish).plan()


def _check(facts: Facts, wish: Wish) -> None:
    """Say what stands against deploying to a host."""
    problem = next(chain(_lacks(facts, wish), _conflicts(facts, wish)), None)
    if problem is not None:
        detail, hint = problem
        raise HostUnfit(f"{facts.host}: {detail}", hint=hint)


def _lacks(facts: Facts, wish: Wish) -> Iterator[tuple[str, str]]:
    python = wish.package.python
    version = ".".join(map(str, facts.python))
    if facts.system != "Linux":
        yield f"it runs {facts.system or 'no known system'}", "deploy to Linux hosts"
    if facts.python < _OLDEST_PYTHON:
        said = f"{python} is {version}" if facts.python else f"there is no {python}"
        yield said, "install Python 3.11 or later there, or name one with --python"
    if "venv" not in facts.programs:
        yield f"{python} cannot make environments", "install python3-venv there"
    missing = sorted({"flock", "setsid", "sha256sum"} - facts.programs)
    if missing:
        yield f"{missing[0]} is missing", "install util-linux and coreutils there"


def _conflicts(facts: Facts, wish: Wish) -> Iterator[tuple[str, str]]:
    balanced = any(service.name == _BALANCER for service in wish.services)
    if facts.foreign:
        yield (
            f"{facts.foreign} was not made by a deployment",
            "move what was installed by hand out of the way first",
        )
    if wish.environment is None and wish.layout.environment not in facts.files:
        yield f"it has no {wish.layout.environment} yet", "give the settings with --config FILE"
    if balanced and "nginx" not in facts.programs and not facts.programs & {"apt-get", "dnf"}:
        yield (
            "nginx is missing and cannot be installed by itself",
            "install it or give --no-balancer",
        )
    if balanced and facts.system_nginx and _BALANCER not in facts.active:
        yield (
            "nginx.service already runs there, for something else",
            "end it (systemctl disable --now nginx), or give --no-balancer",
        )


class _Planner:
    """Holds a host's facts and the wish together while the steps are found."""

    def __init__(self, facts: Facts, wish: Wish) -> None:
        self._facts = facts
        self._wish = wish
        self._do = Commands(wish.layout)
        self._services = tuple(one for one in wish.services if facts.systemd or not one.is_group)
        wanted = files_for(wish, systemd=facts.systemd)
        self._files = tuple(one for one in wanted if facts.files.get(one.path) != one.seen)
        self._texts = {one.service: one.content for one in wanted if one.service}
        path = wish.layout.environment
        self._settings = next((one.seen for one in wanted if one.path == path), "")
        self._late = tuple(one for one in self._services if self._is_late(one))
        self._surplus = tuple(sorted(filter(self._is_surplus, facts.active)))
        names = [one.name for one in self._services]
        at_rest = [
            one.name for one in self._services if one.is_group and one.name not in facts.active
        ]
        self._loose = tuple(name for name in names if name not in facts.enabled or name in at_rest)

    def plan(self) -> HostPlan:
        """Put the steps together."""
        prepare = tuple(self._prepare())
        steps = tuple(self._change())
        changes = bool(steps)
        undo: tuple[Step, ...] = ()
        if changes:
            steps = (self._snapshot(), *steps)
            undo = tuple(self._undo())
        return HostPlan(
            host=self._facts.host,
            prepare=prepare,
            change=steps,
            undo=undo,
            finish=tuple(self._finish(changed=changes)),
        )

    def _prepare(self) -> Iterator[Step]:
        package, facts = self._wish.package, self._facts
        if package.release not in facts.releases:
            if package.constraints:
                path = self._wish.layout.constraints
                yield self._put("write the constraints", path, package.constraints)
            wheel = self._do.wheel(package)
            yield self._put(f"send {package.name}", wheel, package.wheel, timeout_s=_INSTALL_S)
            yield Step(
                what=f"install release {package.release}",
                command=self._do.release(package),
                timeout_s=_BUILD_S,
            )
        names = service_names(self._wish)
        if _BALANCER in names and "nginx" not in facts.programs:
            yield Step(what="install nginx", command=self._do.install_nginx(), timeout_s=_INSTALL_S)
        if facts.systemd and not facts.has_user and self._wish.role == "gateway":
            yield Step(what="add the user quetzalcore", command=self._do.add_user())

    def _change(self) -> Iterator[Step]:
        release = self._wish.package.release
        for file in self._files:
            yield self._put(file.what, file.path, file.content, mode=file.mode)
        if self._facts.systemd and self._files:
            yield Step(what="have systemd read its units", command=self._do.reload())
        if self._facts.current != release:
            yield Step(what=f"make {release} the current release", command=self._do.link(release))
        for service in self._late:
            yield from self._restart(service)
        for name in self._surplus:
            yield Step(
                what=f"end {name}",
                command=self._do.stop(name, stop_s=_STOP_S),
                timeout_s=_STOP_S + _ANSWER_S,
            )
        if self._facts.systemd and self._loose:
            yield Step(
                what=f"start with the host: {', '.join(self._loose)}",
                command=self._do.adopt(self._loose),
                timeout_s=2 * _INSTALL_S,
            )

    def _restart(self, service: Service) -> Iterator[Step]:
        verb = "restart" if service.name in self._facts.active else "start"
        yield Step(
            what=f"{verb} {service.name}",
            command=self._do.restart(service),
            timeout_s=service.start_s + service.stop_s + _ANSWER_S,
        )
        how = f"{service.ready_url} answers" if service.ready_url else "it runs and stays"
        yield Step(
            what=f"wait until {service.name} is well ({how})",
            command=self._do.ready(service, within_s=self._wish.ready_s),
            timeout_s=self._patience(service),
        )
        yield Step(
            what=f"note what {service.name} runs with",
            command=self._do.mark(service.name, self._mark(service)),
        )

    def _snapshot(self) -> Step:
        paths = (file.path for file in self._files)
        active = sorted(self._facts.active)
        return Step(what="keep what is there", command=self._do.snapshot(active, paths))

    def _undo(self) -> Iterator[Step]:
        touched = self._services if self._facts.interrupted else self._late
        ours = [service for service in touched if not service.is_group]
        gone = [_known(name) for name in self._surplus]
        stops = (*ours, *(one for one in self._services if one.is_group))
        yield Step(
            what="put files and release back",
            command=self._do.restore(stops),
            timeout_s=sum(one.stop_s for one in stops) + _ANSWER_S,
        )
        for service in (*ours, *gone):
            # After an interrupted run a mark may be of the release that is taken back.
            mark = "" if self._facts.interrupted else self._facts.marks.get(service.name, "")
            before = replace(service, ready_url=_url(mark)) if mark else service
            yield Step(
                what=f"have {service.name} as it was",
                command=self._do.undo(before, mark, within_s=self._wish.ready_s),
                timeout_s=service.start_s + service.stop_s + self._patience(service),
            )
            if mark:
                yield Step(
                    what=f"note what {service.name} runs with",
                    command=self._do.mark(service.name, mark),
                )
        yield Step(what="forget what was kept", command=self._do.finish(()))

    def _finish(self, *, changed: bool) -> Iterator[Step]:
        old = self._old_releases()
        if old or changed or self._facts.interrupted:
            what = f"remove {', '.join(old)}" if old else "forget what was kept"
            yield Step(what=what, command=self._do.finish(old), timeout_s=_INSTALL_S)

    def _old_releases(self) -> tuple[str, ...]:
        """Give the releases that nobody needs: beyond the newest few, current nowhere, run by no service."""
        restarted = {service.name for service in self._late} | set(self._surplus)
        marks = self._facts.marks
        run = {mark.split(" ")[0] for name, mark in marks.items() if name not in restarted}
        others = [name for name in self._facts.releases if name != self._wish.package.release]
        return tuple(name for name in others[self._wish.keep - 1 :] if name not in run)

    def _is_late(self, service: Service) -> bool:
        facts = self._facts
        if service.is_group:
            return False
        return service.name not in facts.active or facts.marks.get(service.name) != self._mark(
            service
        )

    def _is_surplus(self, name: str) -> bool:
        """Say whether a service runs that a gateway host shall not have; others' are left alone."""
        ours = name.startswith(_GATEWAY) or name == _BALANCER
        return self._wish.role == "gateway" and ours and name not in service_names(self._wish)

    def _mark(self, service: Service) -> str:
        """Tell what a service runs with; a change of any of it makes a restart needed."""
        wish = self._wish
        settings = self._settings or self._facts.files.get(wish.layout.environment, "")
        content = self._texts[service.template if self._facts.systemd else service.name]
        mark = f"{wish.package.release} {digest(settings, content)} {service.ready_url}"
        return mark.strip()

    def _patience(self, service: Service) -> float:
        return self._wish.ready_s + service.settle_s + _ANSWER_S

    def _put(
        self, what: str, path: str, content: bytes, *, mode: str = "644", timeout_s: float = 60.0
    ) -> Step:
        command = self._do.put(path, content, mode=mode)
        return Step(what=what, command=command, stdin=content, timeout_s=timeout_s)


def _known(name: str) -> Service:
    """Give a service of which only the name is known: it ran here before."""
    return Service(name=name, template="", content="", command=("",), stop_s=_STOP_S)


def _url(mark: str) -> str:
    """Give where a service answered by its mark."""
    words = mark.split(" ")
    return words[2] if len(words) > 2 else ""  # noqa: PLR2004 -- release, digest, URL
