"""Worker nodes: list, drain, join."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from quetzalcore.gateway.answers import SECURED, problems
from quetzalcore.gateway.documents import node_document
from quetzalcore.gateway.guard import Access, guarded
from quetzalcore.gateway.instance import caller, gateway_of
from quetzalcore.gateway.names import checked_name
from quetzalcore.gateway.parts import Joining
from quetzalcore.gateway.problems import Unavailable
from quetzalcore.gateway.replies import reply
from quetzalcore.gateway.schemas import DrainRequest, JoinRequest, JoinView, NodeList, NodeView

__all__ = ["join", "router"]

router = APIRouter(
    prefix="/api/cluster",
    tags=["cluster"],
    route_class=guarded(Access.ADMIN),
    responses=SECURED,
)
join = APIRouter(
    prefix="/api/cluster", tags=["cluster"], route_class=guarded(Access.JOIN), responses=SECURED
)


@router.get("/nodes", operation_id="list_nodes", response_model=NodeList)
async def list_nodes(request: Request) -> Response:
    """List the worker nodes with what is free on them; for administrators."""
    nodes = await gateway_of(request).parts.nodes.list()
    return reply({"items": [node_document(node) for node in nodes]})


@router.post(
    "/nodes/{node_id}/drain",
    operation_id="drain_node",
    response_model=NodeView,
    responses=problems(404, 422),
)
async def drain_node(
    request: Request,
    node_id: Annotated[str, Path(examples=["node-1"])],
    body: DrainRequest | None = None,
) -> Response:
    """Let nothing new start on a node, or let it again; what runs there goes on."""
    parts = gateway_of(request).parts
    draining = True if body is None else body.draining
    await parts.nodes.drain(checked_name(node_id, "node"), draining=draining)
    await parts.identity.audit(
        caller(request), "drain" if draining else "undrain", f"node {node_id}", now=parts.clock()
    )
    for node in await parts.nodes.list():
        if node.id == node_id:
            return reply({**node_document(node), "draining": draining})
    raise Unavailable(f"the node {node_id} left meanwhile", hint="list the nodes")


@join.post("/join", operation_id="join_cluster", response_model=JoinView, responses=problems(422))
async def join_cluster(request: Request, body: JoinRequest) -> Response:
    """Say what a new worker needs to join; for join keys and administrators."""
    parts = gateway_of(request).parts
    if parts.join is None:
        raise Unavailable(
            "this platform runs its jobs on its own host: no worker can join",
            hint="start the master with the engine ray",
        )
    host = Joining(name=body.name, addresses=tuple(str(each) for each in body.addresses))
    info = await parts.join(caller(request), host)
    await parts.identity.audit(caller(request), "join", "cluster", now=parts.clock())
    return reply(
        {
            "engine": info.engine,
            "address": info.address,
            "token": info.token,
            "certificates": dict(info.certificates),
            "settings": dict(info.settings),
        }
    )
