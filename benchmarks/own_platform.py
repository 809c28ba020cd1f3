"""What several races need of a platform that they start themselves."""

from __future__ import annotations

import socket
from pathlib import Path

__all__ = ["admin_key", "free_port"]


def free_port() -> int:
    """Give a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def admin_key(folder: Path) -> str:
    """Give the key of the first administrator of the platform in a data folder."""
    lines = (folder / "admin-credentials").read_text().splitlines()
    return next(line.partition("=")[2].strip() for line in lines if line.startswith("key ="))
