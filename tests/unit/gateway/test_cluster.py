"""Nodes over HTTP: list, drain, join."""

from __future__ import annotations

import httpx
from tests.servers.gateway import MemoryPlatform, talk

from quetzalcore.gateway import JoinInfo

_HOST = {"name": "worker-1", "addresses": ["10.0.0.7"]}


def test_a_node_is_drained_and_taken_back() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        root = platform.headers("root")
        for draining in (True, False):
            answer = await client.post(
                "/api/cluster/nodes/node-1/drain", json={"draining": draining}, headers=root
            )
            assert answer.json()["draining"] is draining
            (node,) = (await client.get("/api/cluster/nodes", headers=root)).json()["items"]
            assert node["draining"] is draining
            assert node["total"]["cpus"] == 8
        for name in ("node-9", "..", "a b"):
            answer = await client.post(f"/api/cluster/nodes/{name}/drain", headers=root)
            assert answer.status_code in {404, 405}, name
        lines = await platform.parts.identity.trail()
        assert [line.action for line in lines] == ["undrain", "drain"]

    talk(conversation)


def test_a_host_with_a_join_key_is_told_what_it_needs_and_no_other() -> None:
    async def join(*_: object) -> JoinInfo:
        return JoinInfo(engine="ray", address="10.0.0.2:6380", certificates={"ca.pem": "..."})

    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        told = await client.post(
            "/api/cluster/join", json=_HOST, headers=platform.headers("worker")
        )
        assert told.json()["address"] == "10.0.0.2:6380"
        assert told.json()["certificates"] == {"ca.pem": "..."}
        refused = await client.post(
            "/api/cluster/join", json=_HOST, headers=platform.headers("ada")
        )
        assert refused.status_code == 403

    talk(conversation, join=join)


def test_nobody_joins_an_engine_of_one_host() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        answer = await client.post(
            "/api/cluster/join", json=_HOST, headers=platform.headers("worker")
        )
        assert answer.status_code == 503
        assert "ray" in answer.json()["hint"]

    talk(conversation)
