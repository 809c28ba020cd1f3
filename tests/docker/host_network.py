"""What a host's network is set to, so that it can be compared before and after."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

_QUESTIONS = (
    ("ip", "-o", "addr"),
    ("ip", "route", "show", "table", "all"),
    ("ip", "rule"),
    ("ip", "netns", "list"),
    ("iptables-save",),
    ("ip6tables-save",),
    ("nft", "list", "ruleset"),
)
_OTHERS = re.compile(r"\bqz\d+(h|br|n\d+)\b")
"""Of tests with networks of their own (tests/servers/netns.py) that run meanwhile; ours are called otherwise."""
_SYSCTLS = (
    *("net/ipv4/ip_forward", "net/ipv4/conf/all/forwarding", "net/ipv6/conf/all/forwarding"),
    *("net/ipv4/conf/all/route_localnet", "net/bridge/bridge-nf-call-iptables"),
    *("net/ipv4/ip_local_port_range", "net/ipv4/conf/default/rp_filter"),
)


def network_settings() -> dict[str, str]:
    """Give addresses, routes, rules, namespaces, filters and the switches that engines turn."""
    found = {" ".join(question): _answer(question) for question in _QUESTIONS}
    for name in _SYSCTLS:
        file = Path("/proc/sys") / name
        found[name] = file.read_text().strip() if file.exists() else "absent"
    return found


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Name every line that came or went."""
    told = []
    for question, was in before.items():
        old, new = was.splitlines(), after[question].splitlines()
        told += [f"{question}: gone: {line}" for line in old if line not in new]
        told += [f"{question}: new: {line}" for line in new if line not in old]
    return told


def _answer(question: tuple[str, ...]) -> str:
    program = shutil.which(question[0]) or shutil.which(question[0], path="/usr/sbin:/sbin")
    if program is None:
        return "absent"
    said = subprocess.run((program, *question[1:]), capture_output=True, text=True, check=False)
    lines = [line for line in said.stdout.splitlines() if not line.startswith("#")]
    lines = [line for line in lines if not _OTHERS.search(line)]
    return "\n".join(line.partition(" [")[0] if line.startswith(":") else line for line in lines)
