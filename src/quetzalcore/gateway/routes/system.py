"""How the platform and this instance are doing: for people, balancers and Prometheus."""

from __future__ import annotations

import time

import psutil
from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from quetzalcore.gateway.answers import COMMON, SECURED, problems
from quetzalcore.gateway.documents import instance_document
from quetzalcore.gateway.guard import Access, guarded
from quetzalcore.gateway.instance import gateway_of
from quetzalcore.gateway.problems import Unavailable
from quetzalcore.gateway.replies import reply
from quetzalcore.gateway.schemas import Health, Live, Ready, SystemView

__all__ = ["admins", "public"]

public = APIRouter(tags=["health"], route_class=guarded(Access.PUBLIC), responses=COMMON)
admins = APIRouter(tags=["health"], route_class=guarded(Access.ADMIN), responses=SECURED)
_PROCESS = psutil.Process()
_MIB = 2**20


@public.get("/health", operation_id="health", response_model=Health)
@public.get("/api/health", operation_id="api_health", response_model=Health)
async def health(request: Request) -> Response:
    """Say how the parts of the platform are; 200 also when some are away, so read the status."""
    return reply(await gateway_of(request).checkup.document())


@public.get("/live", operation_id="live", response_model=Live)
async def live() -> Response:
    """Say that the process answers."""
    return reply({"status": "ok"})


@public.get("/ready", operation_id="ready", response_model=Ready, responses=problems(503))
async def ready(request: Request) -> Response:
    """Say whether this instance should be given requests."""
    if not await gateway_of(request).checkup.ready():
        raise Unavailable(
            "this instance takes no requests: it is leaving, or the ledger is away",
            hint="ask another instance",
        )
    return reply({"status": "ready"})


@public.get(
    "/metrics",
    operation_id="metrics",
    response_class=PlainTextResponse,
    responses={
        200: {
            "description": "Prometheus text format.",
            "content": {
                "text/plain": {
                    "schema": {"type": "string"},
                    "example": 'quetzal_jobs{state="queued"} 3.0\n',
                }
            },
        }
    },
)
async def metrics(request: Request) -> Response:
    """Give what is counted, for Prometheus: sums over all tenants; let your proxy keep it inside."""
    gateway = gateway_of(request)
    await gateway.checkup.document()
    return Response(generate_latest(gateway.metrics.registry), media_type=CONTENT_TYPE_LATEST)


@admins.get("/api/system", operation_id="system", response_model=SystemView)
async def system(request: Request) -> Response:
    """Say how this instance is doing, and every other that others reach; for administrators."""
    gateway = gateway_of(request)
    instances = await gateway.parts.instances.list()
    figures = gateway.metrics.recent.figures()
    with _PROCESS.oneshot():
        cpu, memory = _PROCESS.cpu_percent(), _PROCESS.memory_info().rss / _MIB
    return reply(
        {
            "instance": gateway.config.instance,
            "version": gateway.parts.version,
            "uptime_s": round(time.monotonic() - gateway.began, 1),
            "cpu_percent": cpu,
            "memory_mib": round(memory, 1),
            "host_cpu_percent": psutil.cpu_percent(),
            "host_memory_percent": psutil.virtual_memory().percent,
            "open_requests": gateway.metrics.open_requests,
            "streams": gateway.streams.count,
            "requests_per_s": figures.per_s,
            "p50_ms": figures.p50_ms,
            "p95_ms": figures.p95_ms,
            "p99_ms": figures.p99_ms,
            "draining": gateway.draining,
            "instances": [instance_document(each) for each in instances],
        }
    )
