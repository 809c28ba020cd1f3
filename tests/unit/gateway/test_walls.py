"""The wall between tenants: what belongs to another does not exist, on every route with an id."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import httpx
from tests.servers.gateway import MemoryPlatform, talk

from quetzalcore.gateway import openapi_document

# Routes with ids whose things belong to no tenant, or whose right is in the id itself.
_ELSEWHERE = {"change_scaling", "drain_node", "disable_user", "get_blob", "put_blob"}


@dataclass(frozen=True)
class _Theirs:
    """What bob of another tenant has."""

    job: str
    upload: str
    key: str


async def _theirs(platform: MemoryPlatform, client: httpx.AsyncClient) -> _Theirs:
    bob = platform.headers("bob")
    job = (await client.post("/api/jobs", json={"kind": "noop"}, headers=bob)).json()["id"]
    await platform.succeed(job, await platform.begin(job), {}, secret=("text/plain", b"ours"))
    upload = (await client.post("/api/uploads", content=b"\0asm", headers=bob)).json()["id"]
    await client.post(
        "/api/wasm/modules", json={"name": "secret-module", "upload_id": upload}, headers=bob
    )
    key = (await client.get("/api/keys", headers=bob)).json()["items"][0]["id"]
    return _Theirs(job, upload, key)


def _routes() -> list[tuple[str, str, str]]:
    return [
        (method, path, operation["operationId"])
        for path, methods in openapi_document()["paths"].items()
        for method, operation in methods.items()
        if "{" in path and operation["operationId"] not in _ELSEWHERE
    ]


def _filled(path: str, theirs: _Theirs) -> str:
    values = {
        "job_id": theirs.job,
        "upload_id": theirs.upload,
        "key_id": theirs.key,
        "name": "secret-module" if "modules" in path else "secret",
    }
    return re.sub(r"\{(\w+)\}", lambda found: values[found.group(1)], path)


def _shape(answer: httpx.Response, ids: _Theirs) -> dict[str, Any]:
    """Give all of an answer that could tell two cases apart."""
    text = answer.text
    for each in (ids.job, ids.upload, ids.key):
        text = text.replace(each, "ID")
    text = re.sub(r'"request_id": ?"[^"]*"', "", text)
    headers = {k: v for k, v in answer.headers.items() if k != "x-request-id"}
    return {
        "status": answer.status_code,
        "text": text,
        "headers": {k: v for k, v in headers.items() if not k.startswith("ratelimit")},
    }


def test_another_tenants_things_answer_exactly_like_things_that_are_not_there() -> None:
    nothing = _Theirs(*("0" * 26 for _ in range(3)))

    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        theirs = await _theirs(platform, client)
        for who in ("ada", "cleo", "root"):
            for method, path, name in _routes():
                if who == "root" and name == "revoke_key":
                    continue  # administrators see everybody's keys
                headers = {**platform.headers(who), "Upload-Offset": "0"}
                found = await client.request(method, _filled(path, theirs), headers=headers)
                absent_path = _filled(path, nothing).replace("secret-module", "no-module")
                absent = await client.request(method, absent_path, headers=headers)
                assert found.status_code == 404, (who, name, found.text)
                expected = _shape(absent, nothing)
                expected["text"] = expected["text"].replace("no-module", "secret-module")
                expected["headers"].pop("content-length", None)
                shown = _shape(found, theirs)
                shown["headers"].pop("content-length", None)
                assert shown == expected, name

    talk(conversation)


def test_nothing_of_another_tenant_goes_into_a_job() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        theirs = await _theirs(platform, client)
        ada = platform.headers("ada")
        bodies: list[tuple[str, dict[str, Any]]] = [
            ("/api/jobs", {"kind": "inspect", "upload_id": theirs.upload}),
            (
                "/api/jobs",
                {"kind": "inspect", "inputs": [{"job_id": theirs.job, "artifact": "secret"}]},
            ),
            ("/api/mining/mag-survey", {"upload_id": theirs.upload}),
            ("/api/wasm/modules", {"name": "mine", "upload_id": theirs.upload}),
        ]
        for path, body in bodies:
            answer = await client.post(path, json=body, headers=ada)
            assert answer.status_code == 404, (path, answer.text)
        mine = (await client.post("/api/uploads", content=b"a,b", headers=ada)).json()["id"]
        params = {"module": {"name": "secret-module"}}
        answer = await client.post(
            "/api/wasm/run", json={"upload_id": mine, "params": params}, headers=ada
        )
        assert answer.status_code == 422
        assert "none yet" in answer.json()["hint"]

    talk(conversation)


def test_lists_show_the_own_tenant_only() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        theirs = await _theirs(platform, client)
        for path in ("/api/jobs", "/api/wasm/modules", "/api/keys"):
            answer = await client.get(path, headers=platform.headers("ada"))
            assert theirs.job not in answer.text
            assert "secret-module" not in answer.text
            assert "bob" not in answer.text
        answer = await client.get(
            "/api/jobs", params={"tenant": "bolt"}, headers=platform.headers("ada")
        )
        assert answer.status_code == 403
        answer = await client.get(
            "/api/jobs", params={"tenant": "bolt"}, headers=platform.headers("root")
        )
        assert [job["id"] for job in answer.json()["items"]] == [theirs.job]

    talk(conversation)


def test_idempotency_keys_and_reused_results_do_not_cross_the_wall() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        body = {"kind": "cost_analysis", "params": {"area_km2": 10}}
        ids = []
        for who in ("ada", "bob"):
            headers = {**platform.headers(who), "Idempotency-Key": "same"}
            answer = await client.post("/api/jobs", json=body, headers=headers)
            assert answer.status_code == 201
            assert not answer.json()["cached"]
            job_id = answer.json()["id"]
            await platform.succeed(job_id, await platform.begin(job_id), {"whose": who})
            ids.append(job_id)
            again = await client.post("/api/jobs", json=body, headers=platform.headers(who))
            assert again.json()["cached"]
            assert again.json()["result"] == {"whose": who}
        assert ids[0] != ids[1]

    talk(conversation)


def test_roles_open_only_their_doors() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        doors = {
            ("GET", "/api/jobs"): {"root": 200, "ada": 200, "cleo": 200, "worker": 403},
            ("GET", "/api/users"): {"root": 200, "ada": 403, "cleo": 403, "worker": 403},
            ("GET", "/api/system"): {"root": 200, "ada": 403, "cleo": 403, "worker": 403},
            ("GET", "/api/cluster/nodes"): {"root": 200, "ada": 403, "worker": 403},
            ("POST", "/api/cluster/join"): {"root": 503, "ada": 403, "worker": 503},
            ("POST", "/api/cluster/nodes/node-1/drain"): {"ada": 403, "worker": 403, "root": 200},
        }
        bodies = {"/api/cluster/join": {"name": "worker-1", "addresses": ["10.0.0.7"]}}
        for (method, path), expected in doors.items():
            for who, status in expected.items():
                body = bodies.get(path)
                answer = await client.request(
                    method, path, headers=platform.headers(who), json=body
                )
                assert answer.status_code == status, (who, path, answer.text)

    talk(conversation)
