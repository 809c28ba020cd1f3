"""The job read that goes past the framework answers exactly as the framework would."""

from __future__ import annotations

import re

import httpx
from tests.servers.gateway import MemoryPlatform, talk

from quetzalcore.gateway import edge


def test_with_and_without_the_framework_a_job_reads_the_same(monkeypatch) -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        ada = platform.headers("ada")
        job_id = (await client.post("/api/jobs", json={"kind": "noop"}, headers=ada)).json()["id"]
        asked = [
            (f"/api/jobs/{job_id}", ada),
            (f"/api/jobs/{job_id}", {}),
            (f"/api/jobs/{job_id}", platform.headers("bob")),
            (f"/api/jobs/{job_id}", platform.headers("worker")),
            ("/api/jobs/none", ada),
            ("/api/jobs/%2e%2e", ada),
            ("/api/jobs/", ada),
        ]
        fast = [await client.get(path, headers=headers) for path, headers in asked]
        monkeypatch.setattr(edge, "hot_path", lambda _scope: None)
        slow = [await client.get(path, headers=headers) for path, headers in asked]
        for one, other in zip(fast, slow, strict=True):
            assert _shape(one) == _shape(other)

    talk(conversation)


def _shape(answer: httpx.Response) -> tuple[int, str, list[tuple[str, str]]]:
    text = re.sub(r'"request_id": ?"[^"]*"', "", answer.text)
    told = {"x-request-id", "ratelimit-remaining", "ratelimit-reset", "content-length"}
    headers = sorted((k, v) for k, v in answer.headers.items() if k not in told)
    return answer.status_code, text, headers
