"""Which runtime holds what a VM asks for."""

from __future__ import annotations

from collections.abc import Sequence

from quetzalcore.hypervisor.runtime import CannotEnforce, Capabilities, Runtime
from quetzalcore.hypervisor.spec import Limit, Trust

__all__ = ["choose"]

_WALLS = frozenset(Limit) - {Limit.WALL}  # the hypervisor itself holds the wall clock


def choose(runtimes: Sequence[Runtime], trust: Trust) -> Runtime:
    """Give the first runtime that works here and holds what the trust demands.

    Raises
    ------
    CannotEnforce
        Naming what each runtime lacks.
    """
    lacks = []
    for runtime in runtimes:  # a probe is a trial the first time: no more of them than needed
        capabilities = runtime.probe()
        if capabilities.available and not _lacking(capabilities, trust):
            return runtime
        lacks.append(_told(capabilities, trust))
    reasons = "; ".join(lacks) or "none is set up"
    raise CannotEnforce(
        f"no runtime on this host can hold the work of a {trust}: {reasons}",
        hint="quetzal doctor says how to mend it; one's own work may run with trust = owner",
    )


def _lacking(capabilities: Capabilities, trust: Trust) -> frozenset[Limit]:
    return frozenset() if trust is Trust.OWNER else _WALLS - capabilities.enforces


def _told(capabilities: Capabilities, trust: Trust) -> str:
    if not capabilities.available:
        return f"{capabilities.name}: {capabilities.missing.get('runtime', 'not available')}"
    return f"{capabilities.name} lacks {', '.join(sorted(_lacking(capabilities, trust)))}"
