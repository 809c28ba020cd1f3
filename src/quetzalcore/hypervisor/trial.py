"""Finding out by trying what a runtime enforces: a tiny machine that attacks its own walls and reports."""

from __future__ import annotations

import asyncio
import json
import socket
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from quetzalcore.hypervisor.plan.limits import group_limits
from quetzalcore.hypervisor.runtime import CannotEnforce, Capabilities, Launch, Stats
from quetzalcore.hypervisor.spec import Limit, VMSpec

if TYPE_CHECKING:
    from quetzalcore.hypervisor.walled import WalledRuntime

__all__ = ["TRIAL_SPEC", "judge", "try_out"]

TRIAL_SPEC = VMSpec(cpus=0.3, memory_mib=64, wall_s=30.0, pids=16, scratch_mib=4)
"""The size of the machine that is tried."""

_TIMEOUT_S = 30.0
_SCRIPT = r"""
exec 2>/dev/null
say() { printf '"%s": "%s", ' "$1" "$2"; }
printf '{'
say uid "$(id -u)"
say capabilities "$(sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status)"
say no_new_privileges "$(sed -n 's/^NoNewPrivs:[[:space:]]*//p' /proc/self/status)"
say filter "$(sed -n 's/^Seccomp:[[:space:]]*//p' /proc/self/status)"
say interfaces "$(sed -n 's/^ *\([a-z0-9]*\):.*/\1/p' /proc/net/dev | tr '\n' ' ')"
say system "$( (echo x >/usr/trial || echo x >/trial || echo x >/in/trial) && echo open || echo closed)"
say shadow "$(cat /etc/shadow >/dev/null && echo open || echo closed)"
say sysctl "$( (echo x >/proc/sys/kernel/hostname) && echo open || echo closed)"
say memory "$(head -c 100000000 /dev/zero | tail -c 100000000 | wc -c)"
say space "$(head -c 6000000 /dev/zero >/out/fill; wc -c </out/fill)"
printf '"end": ""}'
( i=0; while [ $i -lt 40 ]; do sleep 0.1 & i=$((i+1)); done )
exit 0
"""


def try_out(runtime: WalledRuntime) -> Capabilities:
    """Start a machine and judge what it reports; what cannot start is not available, with the reason."""
    if not runtime.binary:
        return _none(runtime.name, f"{runtime.name} is not installed: install it")
    with ThreadPoolExecutor(1) as apart:  # a loop may be running in this thread
        try:
            status, console, used, quota_us = apart.submit(
                lambda: asyncio.run(_attempt(runtime))
            ).result()
        except (OSError, CannotEnforce) as error:
            return _none(runtime.name, f"{runtime.name} cannot start a machine here: {error}")
    report = _parse(console)
    if status != 0 or report is None:
        told = " ".join(console.split())[-300:] or f"it ended with {status}"
        return _none(runtime.name, f"{runtime.name} cannot start a machine here: {told}")
    return judge(runtime.name, report, used, quota_us=quota_us)


def judge(name: str, report: Mapping[str, str], used: Stats, *, quota_us: int) -> Capabilities:
    """Turn what a machine reports, and what its control group counted and allowed, into capabilities."""
    holds = {
        Limit.CPU: quota_us == group_limits(TRIAL_SPEC).cpu_quota_us and used.cpu_s > 0,
        Limit.MEMORY: used.out_of_memory,
        Limit.PIDS: used.out_of_pids,
        Limit.WALL: used.pids == 0,
        Limit.SCRATCH: int(report["space"] or 0) <= TRIAL_SPEC.scratch_mib * 1024**2,
        Limit.NETWORK: set(report["interfaces"].split()) <= {"lo"},
        Limit.FILESYSTEM: report["system"] == "closed" and report["shadow"] == "closed",
        Limit.SYSCALLS: report["filter"] == "2",
        Limit.PRIVILEGES: (
            report["uid"] != "0"
            and not int(report["capabilities"] or "1", 16)
            and report["no_new_privileges"] == "1"
            and report["sysctl"] == "closed"
        ),
    }
    return Capabilities(
        name=name,
        available=True,
        enforces=frozenset(limit for limit, held in holds.items() if held),
        missing={
            str(limit): f"{name} was tried and did not hold it"
            for limit, held in holds.items()
            if not held
        },
    )


async def _attempt(runtime: WalledRuntime) -> tuple[int, str, Stats, int]:
    _, theirs = pair = socket.socketpair()
    with pair[0], theirs, tempfile.TemporaryDirectory(prefix="quetzal-trial-") as folder:
        machine = await runtime.launch(
            Launch(
                vm_id=f"trial-{runtime.name}",
                spec=TRIAL_SPEC,
                folder=Path(folder),
                command=("/bin/sh", "-c", _SCRIPT),
                channel=theirs.fileno(),
            )
        )
        try:
            quota_us = machine.group.cpu_quota_us()
            status = await asyncio.wait_for(machine.wait(), _TIMEOUT_S)
        finally:
            await runtime.kill(machine)
        return status, machine.console(), runtime.stats(machine), quota_us


def _parse(console: str) -> Mapping[str, str] | None:
    begin = console.find("{")
    try:
        report = json.loads(console[begin:])
    except ValueError:
        return None
    return report if isinstance(report, dict) else None


def _none(name: str, why: str) -> Capabilities:
    return Capabilities(
        name=name,
        available=False,
        enforces=frozenset(),
        missing={"runtime": why} | dict.fromkeys(map(str, Limit), why),
    )
