"""Choosing the runtime for someone's work from what each enforces: pure, but for the trying in ``pick``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from quetzalcore.hypervisor.runtime import CannotEnforce, Capabilities, Runtime
from quetzalcore.hypervisor.spec import Limit, Trust

__all__ = ["ORDER", "choose", "needed", "pick"]

ORDER = ("crun", "runc", "runsc", "bubblewrap", "process")
"""Whom to take first where several would do."""


def needed(trust: Trust) -> frozenset[Limit]:
    """Give the limits without which work must not run: all for a tenant's, none for the owner's."""
    return frozenset(Limit) if trust is Trust.TENANT else frozenset()


def choose(trust: Trust, capabilities: Sequence[Capabilities]) -> Capabilities:
    """Give the first available runtime that enforces all that the trust demands.

    For the owner's work, whoever enforces most comes first, then the order given. ``CannotEnforce`` names
    what no runtime here enforces, and how to get it.
    """
    fit = [one for one in capabilities if one.available and needed(trust) <= one.enforces]
    if not fit:
        raise _refusal(trust, capabilities)
    return max(fit, key=lambda one: len(one.enforces))  # the first of equals


def pick(runtimes: Iterable[Runtime], trust: Trust) -> Runtime:
    """Choose by trying; none is tried after one that enforces everything, since a trial takes a moment."""
    known: list[Capabilities] = []
    tried: list[Runtime] = []
    for runtime in runtimes:
        tried.append(runtime)
        known.append(runtime.probe())
        if known[-1].available and known[-1].enforces == frozenset(Limit):
            break
    return tried[known.index(choose(trust, known))]


def _refusal(trust: Trust, known: Sequence[Capabilities]) -> CannotEnforce:
    best = max(known, key=lambda one: (one.available, len(one.enforces)), default=None)
    if best is None:
        return CannotEnforce("no runtime is known here", hint="install runc, crun or bubblewrap")
    lacking: list[str] = [*sorted(needed(trust) - best.enforces)] or ["runtime"]
    reasons = "; ".join(dict.fromkeys(best.missing.get(name, name) for name in lacking))
    others = "; ".join(
        f"{one.name}: {one.missing['runtime']}" for one in known if "runtime" in one.missing
    )
    return CannotEnforce(
        f"no runtime here enforces {', '.join(lacking)}, which a tenant's work needs;"
        f" the best is {best.name} ({reasons})",
        hint=others
        or "run the worker where it may write control groups, as root or with Delegate=yes",
    )
