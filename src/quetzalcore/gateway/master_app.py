"""The master's small HTTP application, on the private network only: tasks in, status out."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Protocol

from fastapi import APIRouter, FastAPI
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from quetzalcore.cluster.status import MasterMetrics, MasterStatus
from quetzalcore.gateway.answers import SECURED, problems
from quetzalcore.gateway.app import error_handlers
from quetzalcore.gateway.edge import Edge
from quetzalcore.gateway.guard import Access, Bodies, guarded
from quetzalcore.gateway.instance import Gateway, gateway_of
from quetzalcore.gateway.kind_calls import call_kind
from quetzalcore.gateway.parts import GatewayParts
from quetzalcore.gateway.replies import reply
from quetzalcore.gateway.submission import Wish

__all__ = ["create_master_app", "kind_of_task"]

# Names that users' scripts know, and the kinds that they mean.
_ALIASES: Mapping[str, str] = {
    "mineral_discrimination": "discriminate",
    "target_drill_locations": "target_drills",
    "drill_targets": "target_drills",
    "mag_processing": "mag_survey",
    "magnetic_survey": "mag_survey",
    "cost": "cost_analysis",
    "survey_cost": "cost_analysis",
}


class MasterLike(Protocol):
    """What this application asks of a master."""

    async def status(self) -> MasterStatus:
        """Say how the cluster is."""
        ...

    async def metrics(self) -> MasterMetrics:
        """Give what is counted."""
        ...


class ProcessRequest(BaseModel):
    """A task to be done now."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"task": "cost_analysis", "data": {"area_km2": 10}}},
    )

    task: str = Field(max_length=64, description="A job kind, or a name that scripts know.")
    data: dict[str, Any] = Field(default_factory=dict, description="The kind's parameters.")
    task_id: str = Field(
        default="", max_length=255, pattern=r"^[ -~]*$", description="An idempotency key."
    )


tasks = APIRouter(route_class=guarded(Access.USER, Bodies.COLUMNS), responses=SECURED)
operations = APIRouter(route_class=guarded(Access.USER), responses=SECURED)


def create_master_app(parts: GatewayParts, master: MasterLike) -> FastAPI:
    """Build the application that serves beside a master."""
    gateway = Gateway(parts)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        """End what the instance began."""
        yield
        await gateway.close()

    app = FastAPI(
        title="QuetzalCore master",
        version=parts.version,
        redirect_slashes=False,
        lifespan=lifespan,
        exception_handlers=error_handlers(),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.state.gateway = gateway
    app.state.master = master
    app.include_router(tasks)
    app.include_router(operations)
    app.add_middleware(Edge, gateway=gateway)
    return app


def kind_of_task(task: str) -> str:
    """Give the kind that a task's name means."""
    return _ALIASES.get(task, task)


@tasks.post(
    "/process",
    operation_id="process",
    response_model=dict[str, Any],
    responses=problems(404, 409, 422, 507),
)
async def process(request: Request, body: ProcessRequest) -> Response:
    """Do a task: 200 with its result, or 202 with the job if it takes longer."""
    return await call_kind(
        request,
        Wish(kind=kind_of_task(body.task), params=body.data),
        idempotency_key=body.task_id,
    )


@operations.get("/status", operation_id="status")
async def status(request: Request) -> Response:
    """Say how the cluster is."""
    master: MasterLike = request.app.state.master
    return reply(dataclasses.asdict(await master.status()))


@operations.get("/health", operation_id="health")
async def health(request: Request) -> Response:
    """Say how the platform's parts are."""
    return reply(await gateway_of(request).checkup.document())


@operations.get("/metrics", operation_id="metrics")
async def metrics(request: Request) -> Response:
    """Give what is counted, for Prometheus."""
    gateway = gateway_of(request)
    await gateway.checkup.document()
    master: MasterLike = request.app.state.master
    text = generate_latest(gateway.metrics.registry) + generate_latest(
        _registry(await master.metrics())
    )
    return Response(text, media_type=CONTENT_TYPE_LATEST)


def _registry(figures: MasterMetrics) -> CollectorRegistry:
    registry = CollectorRegistry()
    values = {
        **dataclasses.asdict(figures.status),
        "terms": figures.terms,
        "admissions": figures.admissions,
        "vm_starts": figures.vm_starts,
        "vm_start_seconds": figures.vm_start_s,
        "queue_age_seconds": figures.queue_age_s,
    }
    for name, value in values.items():
        gauge = Gauge(f"quetzal_master_{name}", name.replace("_", " "), registry=registry)
        gauge.set(float(value))
    jobs = Gauge("quetzal_master_jobs", "jobs by state", ["state"], registry=registry)
    for state, count in figures.jobs.items():
        jobs.labels(state=state.value).set(count)
    return registry
