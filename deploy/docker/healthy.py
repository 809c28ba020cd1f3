#!/usr/bin/python3 -IS
"""Say by the exit code whether this container does its work.

``healthy http://127.0.0.1:8000/ready``, ``healthy tcp:127.0.0.1:9000`` or ``healthy process:raylet``.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path

LIMIT_S = 4.0


def answers(url: str) -> bool:
    """Say whether a GET gives 2xx."""
    try:
        with urllib.request.urlopen(url, timeout=LIMIT_S):  # noqa: S310 -- the URL is the compose file's own
            return True
    except (OSError, urllib.error.URLError):
        return False


def listens(host: str, port: int) -> bool:
    """Say whether somebody takes connections there."""
    try:
        with socket.create_connection((host, port), timeout=LIMIT_S):
            return True
    except OSError:
        return False


def runs(name: str) -> bool:
    """Say whether a process of this name is there."""
    for comm in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if comm.read_text().strip() == name:
                return True
    return False


def healthy(question: str) -> bool:
    """Answer one question."""
    kind, _, rest = question.partition(":")
    if kind == "tcp":
        host, _, port = rest.rpartition(":")
        return listens(host, int(port))
    if kind == "process":
        return runs(rest)
    return answers(question)


if __name__ == "__main__":
    sys.exit(0 if all(healthy(question) for question in sys.argv[1:]) else 1)
