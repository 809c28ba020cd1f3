"""Choosing the runtime for a spec from what each enforces: pure."""

from __future__ import annotations

from collections.abc import Iterable

from quetzalcore.hypervisor.runtime import CannotEnforce, Capabilities
from quetzalcore.hypervisor.spec import Limit, Trust, VMSpec

__all__ = ["ORDER", "choose", "needed"]

ORDER = ("crun", "runc", "runsc", "bubblewrap", "process")
"""Whom to take first where several would do."""


def needed(spec: VMSpec) -> frozenset[Limit]:
    """Give the limits without which a spec must not run: all for a tenant's, none for the owner's."""
    return frozenset(Limit) if spec.trust is Trust.TENANT else frozenset()


def choose(
    spec: VMSpec, capabilities: Iterable[Capabilities], *, order: tuple[str, ...] = ORDER
) -> Capabilities:
    """Give the first available runtime that enforces all that the spec needs.

    For the owner's work, whoever enforces most comes first, then the order. ``CannotEnforce`` names what
    no runtime here enforces, and how to get it.
    """
    known = [one for one in capabilities if one.name in order]
    fit = [one for one in known if one.available and needed(spec) <= one.enforces]
    if not fit:
        raise _refusal(spec, known)
    return min(fit, key=lambda one: (-len(one.enforces), order.index(one.name)))


def _refusal(spec: VMSpec, known: list[Capabilities]) -> CannotEnforce:
    best = max(known, key=lambda one: (one.available, len(one.enforces)), default=None)
    if best is None:
        return CannotEnforce("no runtime is known here", hint="install runc, crun or bubblewrap")
    lacking: list[str] = [*sorted(needed(spec) - best.enforces)] or ["runtime"]
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
