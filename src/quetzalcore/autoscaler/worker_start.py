"""What a new worker needs to know to join, and the script with which a cloud machine starts one."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field

from quetzalcore.errors import BadParameter

__all__ = ["WorkerAccess", "environment_file", "startup_script", "worker_environment"]

_FOLDER = "/etc/quetzalcore"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerAccess:
    """The gateway as workers reach it, and the key that lets them in."""

    join_url: str
    join_key: str = field(repr=False)


def worker_environment(access: WorkerAccess, node_id: str) -> dict[str, str]:
    """Give the variables of a worker that joins under a name."""
    return {
        "QUETZAL_MASTER": access.join_url,
        "QUETZAL_JOIN_KEY": access.join_key,
        "QUETZAL_NODE_ID": node_id,
    }


def environment_file(variables: Mapping[str, str]) -> str:
    """Write variables as a file that a shell and systemd read alike."""
    for name, value in variables.items():
        if not value.isprintable():
            raise BadParameter(
                f"{name} has a line break or a control character", hint="give it on one line"
            )
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in variables.items())


def startup_script(variables: Mapping[str, str], *, install: str, start: str) -> str:
    """Give the script that a cloud machine runs once: keep what the worker needs, install it, start it.

    ``install`` and ``start`` are commands of a shell, run in that order with the variables set.
    """
    return "\n".join(
        (
            "#!/bin/sh",
            "set -eu",
            f"mkdir -p {_FOLDER} && chmod 700 {_FOLDER}",
            "umask 077",
            f"cat > {_FOLDER}/worker.env <<'END_OF_VARIABLES'",
            environment_file(variables) + "END_OF_VARIABLES",
            f"set -a && . {_FOLDER}/worker.env && set +a",
            "umask 022",
            install or ":",
            start,
            "",
        )
    )
