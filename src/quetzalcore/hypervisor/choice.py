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
    able = [(runtime, runtime.probe()) for runtime in runtimes]
    for runtime, capabilities in able:
        if capabilities.available and not _lacking(capabilities, trust):
            return runtime
    lacks = "; ".join(_told(capabilities, trust) for _, capabilities in able)
    raise CannotEnforce(
        f"no runtime on this host can hold the work of a {trust}: {lacks or 'none is set up'}",
        hint="quetzal doctor says how to mend it; one's own work may run with trust = owner",
    )


def _lacking(capabilities: Capabilities, trust: Trust) -> frozenset[Limit]:
    return frozenset() if trust is Trust.OWNER else _WALLS - capabilities.enforces


def _told(capabilities: Capabilities, trust: Trust) -> str:
    if not capabilities.available:
        return f"{capabilities.name}: {capabilities.missing.get('runtime', 'not available')}"
    return f"{capabilities.name} lacks {', '.join(sorted(_lacking(capabilities, trust)))}"
