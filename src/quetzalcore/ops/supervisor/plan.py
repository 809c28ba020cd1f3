"""What a supervisor is told when it starts: which commands make a gateway, a master, a balancer, and how many."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from quetzalcore.ops.supervisor.slots import Patience, Role, Start

__all__ = ["Handed", "SupervisorPlan", "command"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorPlan:
    """The whole of it; no secrets, for it is seen in the list of processes.

    Parameters
    ----------
    run, logs : Path
        Folders for the socket, the lock and the note, and for logs.
    commands : mapping of str to tuple of str
        What starts each role; roles that are not named do not run.
    instances, most_instances : int
        How many gateways at first, and at most.
    host, port, master_host, master_port
        Where the platform is reached.
    shared : bool
        Whether instances take requests from the public address themselves, without a balancer.
    drain_s : float
        How long an instance that is to go still takes requests: until the balancer has noticed.
    started_at : float
        When the process began, as the host's list of processes says it.
    """

    run: Path
    logs: Path
    commands: Mapping[str, tuple[str, ...]]
    instances: int
    most_instances: int
    host: str
    port: int
    master_host: str
    master_port: int
    shared: bool
    drain_s: float
    started_at: float
    log_bytes: int = 10 * 2**20
    patience: Patience = field(default_factory=Patience)

    @property
    def others(self) -> tuple[Role, ...]:
        """Give the roles beside the gateways."""
        return tuple(role for role in (Role.MASTER, Role.BALANCER) if role in self.commands)

    def to_json(self) -> str:
        """Write it on one line."""
        return json.dumps({**asdict(self), "run": str(self.run), "logs": str(self.logs)})

    @classmethod
    def of_json(cls, text: str) -> SupervisorPlan:
        """Read what ``to_json`` wrote."""
        raw = json.loads(text)
        raw["commands"] = {role: tuple(words) for role, words in raw["commands"].items()}
        raw["patience"] = Patience(**raw["patience"])
        return cls(**{**raw, "run": Path(raw["run"]), "logs": Path(raw["logs"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """Listening sockets that a process inherits, by number; None for one that it does not get."""

    own: int | None = None
    shared: int | None = None

    @property
    def numbers(self) -> tuple[int, ...]:
        """Give those that there are."""
        return tuple(number for number in (self.own, self.shared) if number is not None)


def command(plan: SupervisorPlan, start: Start, *, handed: Handed, ready: int) -> tuple[str, ...]:
    """Give the command that starts a process; on ``ready`` it says that it serves."""
    words = [*plan.commands[start.role], "--ready-fd", str(ready)]
    if handed.own is not None:
        words += ["--fd", str(handed.own)]
    if handed.shared is not None:
        words += ["--shared-fd", str(handed.shared)]
    if start.role is Role.GATEWAY:
        words += ["--instance", start.run_id, "--drain", f"{plan.drain_s:g}"]
    return tuple(words)
