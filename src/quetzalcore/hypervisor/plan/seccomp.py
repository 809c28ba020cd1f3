"""Which system calls a guest may make: allowed by name, all others refused; as OCI JSON and as a kernel program."""

from __future__ import annotations

import errno
import platform
from typing import Any

from quetzalcore.hypervisor.plan.bpf import Check, assemble, encode
from quetzalcore.hypervisor.plan.syscalls import ALLOWED, CONDITIONAL, REFUSED
from quetzalcore.hypervisor.runtime import CannotEnforce

__all__ = ["ARCHITECTURES", "oci_profile", "program"]

ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Column in the tables of numbers, and the kernel's AUDIT_ARCH value, by ``platform.machine()``."""

_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_UNKNOWN = _ERRNO | errno.ENOSYS
_FORBIDDEN = _ERRNO | errno.EPERM

# CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_NAMESPACES = (
    0x80 | 0x20000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
)
_UNIX = 1  # AF_UNIX
_TYPE_AHEAD = 0x5412  # TIOCSTI: put words into another's terminal
_PLAIN, _ASK = 0, 0xFFFFFFFF  # personality(2)
_ONLY_UNIX = Check(argument=0, test="equal", values=(_UNIX,), passed=_ALLOW, otherwise=_FORBIDDEN)
_CHECKS = {
    "clone": Check(
        argument=0, test="any_bit", values=(_NAMESPACES,), passed=_UNKNOWN, otherwise=_ALLOW
    ),
    "socket": _ONLY_UNIX,
    "socketpair": _ONLY_UNIX,  # makes sockets of any family too, and loads the kernel's modules for them
    "ioctl": Check(
        argument=1, test="equal", values=(_TYPE_AHEAD,), passed=_FORBIDDEN, otherwise=_ALLOW
    ),
    "personality": Check(
        argument=0, test="equal", values=(_PLAIN, _ASK), passed=_ALLOW, otherwise=_UNKNOWN
    ),
}


def program(machine: str = "") -> bytes:
    """Give the filter for a machine type (this one's by default) as the kernel and bubblewrap take it."""
    column, architecture = _architecture(machine)
    verdicts: dict[int, int | Check] = {}
    for names, verdict in ((ALLOWED, _ALLOW), (REFUSED, _FORBIDDEN)):
        for numbers in names.values():
            _put(verdicts, numbers[column], verdict)
    for name, numbers in CONDITIONAL.items():
        _put(verdicts, numbers[column], _CHECKS[name])
    return encode(
        assemble(verdicts, default=_UNKNOWN, architecture=architecture, end=max(verdicts) + 1)
    )


def oci_profile(machine: str = "") -> dict[str, Any]:
    """Give the same filter as the ``seccomp`` section of an OCI configuration."""
    machine = machine or platform.machine()
    _architecture(machine)
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": errno.ENOSYS,
        "architectures": [f"SCMP_ARCH_{machine.upper()}"],
        "syscalls": [
            _rule(tuple(ALLOWED)),
            _rule(tuple(REFUSED), refused=True),
            _rule(("clone",), _argument(0, "MASKED_EQ", _NAMESPACES, 0)),
            _rule(("socket", "socketpair"), _argument(0, "EQ", _UNIX)),
            _rule(("socket", "socketpair"), _argument(0, "NE", _UNIX), refused=True),
            _rule(("ioctl",), _argument(1, "NE", _TYPE_AHEAD)),
            _rule(("ioctl",), _argument(1, "EQ", _TYPE_AHEAD), refused=True),
            _rule(("personality",), _argument(0, "EQ", _PLAIN)),
            _rule(("personality",), _argument(0, "EQ", _ASK)),
        ],
    }


def _put(verdicts: dict[int, int | Check], number: int | None, verdict: int | Check) -> None:
    if number is not None:
        verdicts[number] = verdict


def _architecture(machine: str) -> tuple[int, int]:
    machine = machine or platform.machine()
    if machine not in ARCHITECTURES:
        raise CannotEnforce(
            f"there is no system call filter for {machine}",
            hint=f"use a host of one of {', '.join(sorted(ARCHITECTURES))}",
        )
    return ARCHITECTURES[machine]


def _rule(
    names: tuple[str, ...], *arguments: dict[str, Any], refused: bool = False
) -> dict[str, Any]:
    rule: dict[str, Any] = {"names": list(names), "action": "SCMP_ACT_ALLOW"}
    if refused:
        rule |= {"action": "SCMP_ACT_ERRNO", "errnoRet": errno.EPERM}
    return rule | ({"args": list(arguments)} if arguments else {})


def _argument(index: int, operator: str, value: int, second: int | None = None) -> dict[str, Any]:
    argument = {"index": index, "op": f"SCMP_CMP_{operator}", "value": value}
    return argument if second is None else argument | {"valueTwo": second}
