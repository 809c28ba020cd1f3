"""A Docker engine as its interface tells, without containers: for tests that need no real one."""

from __future__ import annotations

import itertools
import json
from typing import Any

import httpx

__all__ = ["FakeDocker"]

_PREFIX = "/v1.41"


class FakeDocker:
    """Answers requests as ``httpx.MockTransport`` wants it; ``failing`` starts fail, ``trouble`` is its own."""

    def __init__(self, *, cpus: float = 4, memory_mib: int = 8192) -> None:
        self.containers: dict[str, dict[str, Any]] = {}
        self.failing = False
        self.trouble = False
        self.dead = False
        self._host = {"NCPU": cpus, "MemTotal": memory_mib << 20}
        self._ids = itertools.count(1)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        if self.dead:
            raise httpx.ConnectError("nobody there", request=request)
        if self.trouble:
            return _told(500, "the disk is full")
        path = request.url.path.removeprefix(_PREFIX)
        if path == "/info":
            return httpx.Response(200, json=self._host)
        if path == "/containers/json":
            return self._list(json.loads(request.url.params["filters"])["label"])
        if path == "/containers/create":
            return self._create(request.url.params["name"], json.loads(request.content))
        _, _, known, *verb = path.split("/")
        container = self.containers.get(known)
        if container is None:
            return _told(404, f"No such container: {known}")
        return self._act(container, verb[0] if verb else "remove")

    def _list(self, wanted: list[str]) -> httpx.Response:
        found = [
            one
            for one in self.containers.values()
            if set(wanted) <= {f"{key}={value}" for key, value in one["Labels"].items()}
        ]
        return httpx.Response(200, json=found)

    def _create(self, name: str, body: dict[str, Any]) -> httpx.Response:
        if any(one["Names"] == [f"/{name}"] for one in self.containers.values()):
            return _told(409, f'Conflict. The container name "/{name}" is already in use')
        known = f"id{next(self._ids)}"
        self.containers[known] = {
            "Id": known,
            "Names": [f"/{name}"],
            "Labels": body["Labels"],
            "State": "created",
            "NetworkSettings": {"Networks": {"bridge": {"IPAddress": "172.17.0.2"}}},
            "asked": body,
        }
        return httpx.Response(201, json={"Id": known})

    def _act(self, container: dict[str, Any], verb: str) -> httpx.Response:
        if verb == "remove":
            del self.containers[container["Id"]]
        elif verb == "stop":
            container["State"] = "exited"
        elif self.failing:
            return _told(400, "error gathering device information")
        else:
            container["State"] = "running"
        return httpx.Response(204)


def _told(status: int, message: str) -> httpx.Response:
    return httpx.Response(status, json={"message": message})
