"""A wish for a job, checked against its kind and made into the ledger's request."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from starlette.requests import Request

from quetzalcore.errors import BadParameter, Where
from quetzalcore.gateway.instance import Gateway, caller, gateway_of
from quetzalcore.gateway.modules import module_inputs
from quetzalcore.gateway.names import missing, safe_filename
from quetzalcore.gateway.schemas import InputRef, ResourcesAsked
from quetzalcore.identity.model import Principal, Role
from quetzalcore.jobs.ledger import Conflict
from quetzalcore.jobs.model import TERMINAL, InputFile, Job, JobRequest, JobState, Resources
from quetzalcore.workloads.catalog import find_kind
from quetzalcore.workloads.kind import Kind
from quetzalcore.workloads.parameters import canonical_params, with_assumed
from quetzalcore.workloads.reuse import reuse_key

__all__ = ["Wish", "input_files", "request_of", "submit", "waited_for"]

_LONGEST_KEY = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a caller asks for, its files found already."""

    kind: str
    params: Mapping[str, Any]
    assumed: tuple[str, ...] = ()
    inputs: tuple[InputFile, ...] = ()
    priority: int = 0
    resources: ResourcesAsked = field(default_factory=ResourcesAsked)
    wall_s: float | None = None
    reuse: bool = True


async def submit(
    request: Request, wish: Wish, *, idempotency_key: str | None = None
) -> tuple[Job, bool]:
    """Give the job and whether it is new; the key is the request's header by default.

    Raises
    ------
    BadParameter, Conflict, QuotaExceeded, LedgerUnavailable
    """
    gateway = gateway_of(request)
    who = caller(request)
    kind = find_kind(wish.kind, gateway.parts.kinds)
    now = gateway.parts.clock()
    params, assumed = with_assumed(kind, canonical_params(kind, wish.params), today=now.date())
    modules = await module_inputs(gateway.parts, who.tenant, params)
    asked = request_of(
        gateway,
        who,
        replace(wish, params=params, assumed=assumed, inputs=(*wish.inputs, *modules)),
        idempotency_key=idempotency_key or _idempotency_key(request),
        request_id=request.state.request_id,
    )
    job, new = await gateway.parts.ledger.submit(asked, now=now)
    request.state.job_id = job.id
    structlog.contextvars.bind_contextvars(job_id=job.id)
    if new:
        gateway.metrics.job(asked.kind, reused=job.cached, reusable=bool(asked.reuse_key))
    return job, new


def request_of(
    gateway: Gateway,
    who: Principal,
    wish: Wish,
    *,
    idempotency_key: str = "",
    request_id: str = "",
) -> JobRequest:
    """Check a wish with canonical parameters against the caller's rights; fill in what the kind decides."""
    parts = gateway.parts
    kind = find_kind(wish.kind, parts.kinds)
    params = wish.params
    _check_inputs(kind, wish.inputs)
    _check_limits(gateway, who, wish)
    sizes = {each.name: each.size for each in wish.inputs}
    digests = {each.name: each.sha256 for each in wish.inputs}
    return JobRequest(
        tenant=who.tenant,
        user=who.user,
        kind=kind.name,
        kind_version=kind.version,
        run=kind.run,
        params=params,
        inputs=wish.inputs,
        resources=_resources(kind.resources(params, sizes), wish.resources),
        tier=kind.tier,
        forkable=kind.forkable,
        priority=wish.priority,
        wall_s=kind.wall_s if wish.wall_s is None else wish.wall_s,
        idempotency_key=idempotency_key,
        reuse_key=reuse_key(who.tenant, kind, params, digests, parts.data_versions)
        if wish.reuse
        else "",
        request_id=request_id,
        assumed=wish.assumed,
    )


async def input_files(
    gateway: Gateway, who: Principal, references: Sequence[InputRef]
) -> tuple[InputFile, ...]:
    """Find the files that a caller names, of the own tenant only.

    Raises
    ------
    NotFound, Conflict, BadParameter
    """
    return tuple([await _input_file(gateway, who, reference) for reference in references])


async def waited_for(request: Request, job: Job, wait_s: float) -> Job:
    """Give the job as it is when it ends, or when the caller has waited long enough."""
    gateway = gateway_of(request)
    wait_s = min(wait_s, gateway.config.max_wait_s)
    if job.state in TERMINAL or wait_s <= 0:
        return job
    began = asyncio.get_running_loop().time()
    await gateway.watcher.until_done(job.id, timeout_s=wait_s)
    request.state.waited_s = asyncio.get_running_loop().time() - began
    return await gateway.parts.ledger.get(job.id, tenant=job.request.tenant)


async def _input_file(gateway: Gateway, who: Principal, reference: InputRef) -> InputFile:
    if (reference.upload_id is None) == (reference.job_id is None):
        raise BadParameter(
            "an input names neither an upload nor a job's product, or both",
            hint="give upload_id, or job_id and artifact",
            where=Where(field="inputs"),
        )
    if reference.upload_id is not None:
        found = await _upload(gateway, who, reference.upload_id)
    else:
        found = await _product(gateway, who, str(reference.job_id), reference.artifact or "")
    return found if reference.name is None else replace(found, name=reference.name)


async def _upload(gateway: Gateway, who: Principal, upload_id: str) -> InputFile:
    upload = await gateway.parts.uploads.get(upload_id, tenant=who.tenant)
    if not upload.complete:
        raise Conflict(
            f"the upload has {upload.received} bytes so far and is not complete",
            hint="send the rest first",
            where=Where(field="upload_id"),
        )
    return InputFile(
        name=upload.filename, key=upload.key, size=upload.received, sha256=upload.sha256
    )


async def _product(gateway: Gateway, who: Principal, job_id: str, name: str) -> InputFile:
    job = await gateway.parts.ledger.get(job_id, tenant=who.tenant)
    products = job.artifacts if job.state is JobState.SUCCEEDED else ()
    for product in products:
        if product.name == name:
            return InputFile(
                name=safe_filename(name), key=product.key, size=product.size, sha256=product.sha256
            )
    raise missing("product")


def _check_inputs(kind: Kind, inputs: Sequence[InputFile]) -> None:
    least, most = kind.inputs
    if not least <= len(inputs) <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise BadParameter(
            f"{kind.name} takes {wanted} input files, {len(inputs)} came",
            hint="give upload_id or inputs" if most else "leave the inputs out",
            where=Where(field="inputs"),
        )
    if len({each.name for each in inputs}) < len(inputs):
        raise BadParameter(
            "two inputs have the same name", hint="give each a name", where=Where(field="inputs")
        )


def _check_limits(gateway: Gateway, who: Principal, wish: Wish) -> None:
    config = gateway.config
    if wish.priority > config.max_priority and who.role is not Role.ADMIN:
        raise BadParameter(
            f"priority is {wish.priority}",
            hint=f"ask for {config.max_priority} at most",
            where=Where(field="priority"),
        )
    if wish.wall_s is not None and wish.wall_s > config.max_wall_s:
        raise BadParameter(
            f"wall_s is {wish.wall_s:g}",
            hint=f"ask for {config.max_wall_s:g} s at most",
            where=Where(field="wall_s"),
        )


def _resources(default: Resources, asked: ResourcesAsked) -> Resources:
    return replace(default, **asked.model_dump(exclude_none=True))


def _idempotency_key(request: Request) -> str:
    key = request.headers.get("idempotency-key", "")
    if len(key) > _LONGEST_KEY or not key.isascii() or not (key.isprintable()):
        raise BadParameter(
            "the Idempotency-Key is not usable",
            hint=f"send at most {_LONGEST_KEY} printable ASCII characters",
            where=Where(field="Idempotency-Key"),
        )
    return key
