"""What a host says of itself, read with the distrust that another host's words deserve."""

from __future__ import annotations

import re
from collections import defaultdict

from quetzalcore.ops.deploy.model import Facts

__all__ = ["read_facts"]

_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")  # one of them may be told to be removed


def read_facts(host: str, answer: bytes) -> Facts:
    """Read what a look gave; lines that say nothing known are passed over."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in answer.decode(errors="replace").splitlines():
        key, space, value = line.partition(" ")
        if space:
            found[key].append(value.strip())

    def one(key: str) -> str:
        return found[key][-1] if found[key] else ""

    return Facts(
        host=host,
        system=one("system"),
        machine=one("machine"),
        python=tuple(int(part) for part in one("python").split(".") if part.isdecimal()),
        programs=frozenset(found["program"]),
        systemd=bool(found["systemd"]),
        system_nginx=bool(found["system_nginx"]),
        has_user=bool(found["has_user"]),
        current=one("current"),
        releases=tuple(filter(_RELEASE.fullmatch, found["release"])),
        foreign=one("foreign"),
        interrupted=bool(found["interrupted"]),
        files={path: seen for seen, _, path in _pairs(found["file"])},
        active=frozenset(found["active"]),
        enabled=frozenset(found["enabled"]),
        marks={name: mark for name, _, mark in _pairs(found["mark"])},
    )


def _pairs(values: list[str]) -> list[tuple[str, str, str]]:
    return [value.partition(" ") for value in values]
