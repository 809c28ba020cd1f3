"""Hosts of a small private network on this machine: network namespaces on a bridge in another one."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def _ip(*arguments: str) -> str:
    return subprocess.run(
        ("ip", *arguments), check=True, capture_output=True, text=True
    ).stdout.strip()


class Network:
    """A subnet of our own; this process's namespace is on it as ``gateway``."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._subnet = f"10.{100 + os.getpid() % 100}.{os.getpid() // 100 % 250}"
        self._spaces: list[str] = []
        self.gateway = f"{self._subnet}.1"

    def build(self) -> None:
        """Make the bridge and put this namespace on it."""
        bridge = self._space("br")
        _ip("-n", bridge, "link", "add", "br0", "type", "bridge")
        _ip("-n", bridge, "link", "set", "br0", "up")
        here = f"{self._prefix}h"
        _ip("link", "add", here, "type", "veth", "peer", "name", "here", "netns", bridge)
        _ip("addr", "add", f"{self.gateway}/24", "dev", here)
        _ip("link", "set", here, "up")
        _ip("-n", bridge, "link", "set", "here", "master", "br0", "up")

    def host(self, number: int) -> tuple[str, str]:
        """Add a host; give its namespace and its address."""
        bridge = f"{self._prefix}br"
        space, address = self._space(f"n{number}"), f"{self._subnet}.{10 + number}"
        port = f"v{number}"
        _ip(
            *("link", "add", "eth0", "netns", space, "type", "veth"),
            *("peer", "name", port, "netns", bridge),
        )
        _ip("-n", bridge, "link", "set", port, "master", "br0", "up")
        _ip("-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", space, "link", "set", "eth0", "up")
        _ip("-n", space, "link", "set", "lo", "up")
        return space, address

    def kill(self, space: str) -> None:
        """End a host as a power cut would: everything in it, until nothing is left."""
        while pids := pids_in(space):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def remove(self) -> None:
        """Take it all down; the pairs of interfaces go with their namespaces."""
        for space in reversed(self._spaces):
            self.kill(space)
            _ip("netns", "del", space)

    def _space(self, name: str) -> str:
        space = f"{self._prefix}{name}"
        _ip("netns", "add", space)
        self._spaces.append(space)
        return space


def pids_in(space: str) -> list[int]:
    """Give the processes that live in a namespace."""
    return [int(pid) for pid in _ip("netns", "pids", space).split()]


def inside(space: str) -> tuple[str, ...]:
    """Give the command that runs another one in a namespace, with everything else as it is."""
    return ("nsenter", f"--net={Path('/run/netns') / space}")


@contextmanager
def private_network() -> Iterator[Network]:
    """Give a network under names with our pid, and take it down at the end."""
    network = Network(f"qz{os.getpid()}")
    try:
        network.build()
        yield network
    finally:
        network.remove()
