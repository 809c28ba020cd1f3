"""What is given back for a task that has ended: its result or its failure, its products, its use."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from quetzalcore.errors import QuetzalError, Retryable, UserMistake
from quetzalcore.hypervisor.endings import Ending, failure_of
from quetzalcore.hypervisor.products import BadProduct, collect
from quetzalcore.hypervisor.protocol import Failed, Result
from quetzalcore.hypervisor.spec import Outcome, Product, VMSpec
from quetzalcore.jobs.model import Failure, Remedy, Usage

__all__ = ["outcome_of", "refused"]

_MIB = 1024**2


async def outcome_of(  # noqa: PLR0913 -- what was seen and measured
    ending: Ending, out: Path, *, spec: VMSpec, start_s: float, wall_s: float, runtime: str
) -> Outcome:
    """Take the products of a task that has ended well and nothing of which runs any more."""
    failure = failure_of(ending, spec)
    products: tuple[Product, ...] = ()
    if failure is None:
        try:
            products = await _products(out)
        except BadProduct as error:
            failure = _as_failure(error, code="output_refused")
    said = ending.said
    used = Usage(
        cpu_s=ending.stats.cpu_s,
        wall_s=wall_s,
        peak_memory_mib=ending.stats.peak_memory_mib,
        scratch_mib=sum(product.size for product in products) / _MIB,
        vm_start_s=start_s,
        runtime=runtime,
        vgpu=said.vgpu if isinstance(said, Result | Failed) else {},
    )
    value = said.value if isinstance(said, Result) and failure is None else None
    return Outcome(result=value, failure=failure, products=products, used=used)


def refused(error: QuetzalError | OSError) -> Outcome:
    """Tell why a task was never begun."""
    failure = (
        _as_failure(error)
        if isinstance(error, QuetzalError)
        else Failure(
            code="node_trouble",
            title="The node could not begin the job",
            detail=f"{error.strerror or error}",
            hint="it is tried again",
            remedy=Remedy.RETRY,
        )
    )
    return Outcome(result=None, failure=failure, products=(), used=Usage())


async def _products(out: Path) -> tuple[Product, ...]:
    with os.scandir(out) as entries:
        if next(entries, None) is None:
            return ()
    return await asyncio.to_thread(collect, out)  # it reads every byte


def _as_failure(error: QuetzalError, *, code: str = "") -> Failure:
    remedy = Remedy.NONE
    if isinstance(error, UserMistake):
        remedy = Remedy.USER
    elif isinstance(error, Retryable):
        remedy = Remedy.RETRY
    return Failure(
        code=code or error.code,
        title=error.title,
        detail=error.detail,
        hint=error.hint,
        remedy=remedy,
    )
