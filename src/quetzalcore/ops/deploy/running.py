"""Carries a deployment out: host by host, each under its own lock, and back where a host does not get well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from quetzalcore.errors import QuetzalError
from quetzalcore.ops.deploy.facts import read_facts
from quetzalcore.ops.deploy.files import paths_of
from quetzalcore.ops.deploy.model import DeployFailed, Facts, HostBusy, HostPlan, Step, Wish
from quetzalcore.ops.deploy.plan import plan_host, service_names
from quetzalcore.ops.deploy.scripts import BUSY, Commands
from quetzalcore.ssh import RemoteResult, SshAccess, SshUnreachable, run_on, ssh_command

__all__ = ["Deployment", "Outcome", "State", "verdict"]

State = Literal["unchanged", "changed", "as before", "broken", "not touched"]

_LOOK_S = 60.0
_LOCK_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a host ended: what was done, and why not all of it."""

    host: str
    state: State
    done: tuple[str, ...] = ()
    reason: str = ""


def verdict(outcomes: Sequence[Outcome]) -> None:
    """Say what became of the hosts, unless all is as it was asked for.

    Raises
    ------
    DeployFailed
        Naming the host that failed, why, what it is like now, and which hosts were done before.
    """
    failed = [one for one in outcomes if one.reason]
    if not failed:
        return
    said = "; ".join(f"{one.host} is {one.state} ({one.reason})" for one in failed)
    states: tuple[State, ...] = ("changed", "unchanged")
    done = [one.host for one in outcomes if one.state in states]
    left = [one.host for one in outcomes if one.state == "not touched" and not one.reason]
    parts = [said]
    if done:
        parts.append(f"done and kept: {', '.join(done)}")
    if left:
        parts.append(f"not touched: {', '.join(left)}")
    raise DeployFailed("; ".join(parts), hint="mend the cause and run the same command again")


class Deployment:
    """Looks at hosts and brings them to what is wished; every host that is reached says so by ``tell``."""

    def __init__(self, wish: Wish, access: SshAccess, *, tell: Callable[[str, str], None]) -> None:
        self._wish = wish
        self._access = access
        self._tell = tell
        self._do = Commands(wish.layout)

    async def plans(self, hosts: Sequence[str]) -> tuple[HostPlan, ...]:
        """Look at all hosts and give what is to be done on each; nothing is changed anywhere.

        Raises
        ------
        HostUnfit
            If a host cannot become what is wished.
        SshUnreachable
            If a host cannot be reached.
        """
        found = await asyncio.gather(*map(self._look, hosts))
        return tuple(plan_host(facts, self._wish) for facts in found)

    async def run(self, hosts: Sequence[str], *, at_once: int = 1) -> tuple[Outcome, ...]:
        """Bring hosts to the wish, some at once; after the first that fails the rest is left alone.

        Raises
        ------
        HostUnfit, SshUnreachable
            If one of the hosts is no good to begin with; then none is touched.
        """
        plans = await self.plans(hosts)
        outcomes = [Outcome(host=plan.host, state="unchanged") for plan in plans if not plan.steps]
        hosts = [plan.host for plan in plans if plan.steps]
        for some in (hosts[at : at + at_once] for at in range(0, len(hosts), at_once)):
            if any(one.reason for one in outcomes):
                outcomes += [Outcome(host=host, state="not touched") for host in some]
            else:
                outcomes += await asyncio.gather(*map(self._bring, some))
        return tuple(outcomes)

    async def _look(self, host: str) -> Facts:
        wish = self._wish
        command = self._do.look(wish.package.python, paths_of(wish), service_names(wish))
        result = await run_on(host, command, access=self._access, timeout_s=_LOOK_S)
        if result.status:
            raise DeployFailed(
                f"{host} does not say what it is like: {result.said}",
                hint="log in as root, as a user who may sudo without a password, or give --prefix",
            )
        return read_facts(host, result.stdout)

    async def _bring(self, host: str) -> Outcome:
        """Bring one host to the wish; whatever stands against it is in the outcome."""
        try:
            async with self._locked(host):
                plan = plan_host(await self._look(host), self._wish)
                if not plan.steps:
                    return Outcome(host=host, state="unchanged")
                return await self._carry_out(plan)
        except QuetzalError as error:
            return Outcome(host=host, state="not touched", reason=str(error).rstrip("."))

    async def _carry_out(self, plan: HostPlan) -> Outcome:
        done: list[str] = []
        try:
            await self._steps(plan.host, plan.prepare, done)
        except QuetzalError as error:
            reason = error.detail
            return Outcome(host=plan.host, state="not touched", done=tuple(done), reason=reason)
        try:
            await self._steps(plan.host, plan.change, done)
        except QuetzalError as error:
            return await self._take_back(plan, error, done)
        try:
            await self._steps(plan.host, plan.finish, done)
        except QuetzalError as error:
            return Outcome(host=plan.host, state="changed", done=tuple(done), reason=error.detail)
        return Outcome(host=plan.host, state="changed", done=tuple(done))

    async def _take_back(self, plan: HostPlan, cause: QuetzalError, done: list[str]) -> Outcome:
        self._tell(plan.host, f"failed: {cause.detail}")
        try:
            await self._steps(plan.host, plan.undo, done)
        except QuetzalError as error:
            return Outcome(
                host=plan.host,
                state="broken",
                done=tuple(done),
                reason=f"{cause.detail}, and not all could be taken back: {error.detail}",
            )
        return Outcome(host=plan.host, state="as before", done=tuple(done), reason=cause.detail)

    async def _steps(self, host: str, steps: Sequence[Step], done: list[str]) -> None:
        for step in steps:
            self._tell(host, step.what)
            result = await run_on(
                host, step.command, access=self._access, stdin=step.stdin, timeout_s=step.timeout_s
            )
            if result.status:
                raise DeployFailed(
                    f"could not {step.what}: {result.said or f'status {result.status}'}",
                    hint="look at the host",
                )
            done.append(step.what)

    @asynccontextmanager
    async def _locked(self, host: str) -> AsyncIterator[None]:
        """Hold a host's lock; it is let go when this connection ends, however that comes about."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *ssh_command(host, self._do.lock(), self._access), stdin=pipe, stdout=pipe, stderr=pipe
        )
        try:
            await _until_locked(host, process)
            yield
        finally:
            if process.returncode is None:
                try:
                    async with asyncio.timeout(_LOCK_S):
                        await process.communicate(b"")  # which ends its input
                finally:
                    if process.returncode is None:
                        process.kill()
                        await process.wait()


async def _until_locked(host: str, process: asyncio.subprocess.Process) -> None:
    """Wait for the word that the lock is held.

    Raises
    ------
    HostBusy
        If somebody else holds it.
    SshUnreachable
        If the host does not answer.
    """
    said = b""
    try:
        async with asyncio.timeout(_LOCK_S):
            if process.stdout is not None:
                said = await process.stdout.readline()
    except TimeoutError as error:
        raise SshUnreachable(f"{host} does not answer", hint="look at the host") from error
    if said.strip() == b"locked":
        return
    _, stderr = await process.communicate(b"")
    if process.returncode == BUSY:
        raise HostBusy(f"another deployment is at work on {host}", hint="wait until it has ended")
    result = RemoteResult(host=host, status=process.returncode or 0, stdout=b"", stderr=stderr)
    raise SshUnreachable(f"{host} cannot be locked: {result.said}", hint="look at the host")
