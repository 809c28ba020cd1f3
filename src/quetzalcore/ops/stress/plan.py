"""What a load test is to do: whom it asks for what, with how many users, for how long."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from quetzalcore.errors import BadParameter

__all__ = [
    "LOCUSTFILE",
    "PLAN_FILE",
    "RECORD_FILE",
    "Action",
    "LoadPlan",
    "Scenario",
    "locust_command",
    "locust_environment",
    "weights",
]

LOCUSTFILE = Path(__file__).parent / "load" / "locustfile.py"
PLAN_FILE = "plan.json"
RECORD_FILE = "record.jsonl"
REQUEST_S = 30  # how long a request may take; the end of a run waits for those that are under way
_MOST_USERS = 10_000
_LONGEST_S = 86_400


class Scenario(StrEnum):
    """What the users do."""

    BROWSE = "browse"
    READ = "read"
    UPLOAD = "upload"
    MIXED = "mixed"


class Action(StrEnum):
    """One thing that a user does, chosen at random by its weight."""

    HEALTH = "health"
    DOCS = "docs"
    LIST = "list"
    SYSTEM = "system"
    READ = "read"
    UPLOAD = "upload"


_BROWSING = {Action.HEALTH: 2, Action.DOCS: 1, Action.LIST: 4, Action.SYSTEM: 3}
_WEIGHTS: Mapping[Scenario, Mapping[Action, int]] = {
    Scenario.BROWSE: _BROWSING,
    Scenario.READ: {Action.READ: 1},
    Scenario.UPLOAD: {Action.UPLOAD: 1},
    Scenario.MIXED: {
        **{action: 3 * weight for action, weight in _BROWSING.items()},
        Action.READ: 60,
        Action.UPLOAD: 10,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """A load test as it was asked for.

    Parameters
    ----------
    url : str
        The origin that is asked.
    users : int
        How many ask at once, each one request after the other without a pause.
    duration_s : int
        How long all of them do.
    ramp_up_s : int
        How long before that they come, one after the other; not judged.
    """

    url: str
    scenario: Scenario
    users: int
    duration_s: int
    ramp_up_s: int

    def __post_init__(self) -> None:
        """Check what came from the command line."""
        _within("--users", self.users, 1, _MOST_USERS)
        _within("--duration", self.duration_s, 1, _LONGEST_S)
        _within("--ramp-up", self.ramp_up_s, 0, _LONGEST_S)

    @property
    def total_s(self) -> int:
        """How long requests are begun."""
        return self.ramp_up_s + self.duration_s


def weights(scenario: Scenario, *, system: bool) -> dict[Action, int]:
    """Give how often each action is chosen; ``system`` says whether the key may ask for it."""
    found = dict(_WEIGHTS[scenario])
    if not system:
        found.pop(Action.SYSTEM, None)
    return found


def locust_command(plan: LoadPlan, *, python: str = sys.executable) -> tuple[str, ...]:
    """Give the command that makes the load; it holds no secret, for everybody on a host can read it."""
    per_s = plan.users / plan.ramp_up_s if plan.ramp_up_s else plan.users
    return (
        python, "-m", "locust",
        "--locustfile", str(LOCUSTFILE),
        "--headless",
        "--host", plan.url,
        "--users", str(plan.users),
        "--spawn-rate", f"{per_s:g}",
        "--stop-timeout", str(REQUEST_S + 1),
        "--exit-code-on-error", "0",
        "--loglevel", "WARNING",
    )  # fmt: skip


def locust_environment(given: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Leave out what holds our secrets, and what could change locust's ways: also the owner's ~/.locust.conf."""
    kept = {
        name: value for name, value in given.items() if not name.startswith(("LOCUST", "QUETZAL_"))
    }
    return {**kept, "HOME": str(folder)}


def _within(option: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise BadParameter(f"{option} is {value}", hint=f"give a number from {least} to {most}")
