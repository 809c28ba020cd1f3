"""An HTTP server that stands for a Kubernetes API server with KubeRay behind it."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.servers.kube_ray import NAMESPACE, FakeKubernetes
from tests.servers.ray_cluster_schema import Refused

__all__ = ["NAMESPACE", "TOKEN", "FakeKubernetes", "kubernetes_api", "running_kubernetes"]

TOKEN = "a-service-account's-token"  # noqa: S105 -- of this server alone
_CLUSTERS = f"/apis/ray.io/v1/namespaces/{NAMESPACE}/rayclusters/"
_TICK_S = 0.01


class _Server(ThreadingHTTPServer):
    kubernetes: FakeKubernetes


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_PATCH(self) -> None:
        self._answer(self._patch)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base's name
        pass

    def _get(self) -> dict[str, Any]:
        url = urlsplit(self.path)
        if url.path.startswith(_CLUSTERS):
            with self.server.kubernetes.lock:
                return copy.deepcopy(
                    self.server.kubernetes.cluster(url.path.removeprefix(_CLUSTERS))
                )
        if url.path == f"/api/v1/namespaces/{NAMESPACE}/pods":
            selector = parse_qs(url.query).get("labelSelector", [""])[0]
            items = self.server.kubernetes.select(selector)
            return {"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": items}
        raise Refused(404, f"there is no {url.path}")

    def _patch(self) -> dict[str, Any]:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Type"] != "application/json-patch+json":
            raise Refused(415, "this server takes JSON Patches")
        return self.server.kubernetes.patch(self.path.removeprefix(_CLUSTERS), json.loads(body))

    def _authorize(self) -> None:
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            raise Refused(401, "Unauthorized")

    def _answer(self, act: Any) -> None:  # noqa: ANN401 -- a bound method
        try:
            self._authorize()
            status, body = 200, act()
        except Refused as refusal:
            status = refusal.status
            body = {
                "kind": "Status",
                "apiVersion": "v1",
                "message": str(refusal),
                "code": status,
            }
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


@contextmanager
def running_kubernetes() -> Iterator[FakeKubernetes]:
    """Run the server on a free port, with a KubeRay that looks a hundred times a second."""
    kubernetes = FakeKubernetes()
    server = _Server(("127.0.0.1", 0), _Handler)
    server.kubernetes = kubernetes
    kubernetes.url = f"http://127.0.0.1:{server.server_port}"
    stop = threading.Event()

    def keep_on() -> None:
        elapsed_s = 0.0
        while not stop.wait(_TICK_S):
            elapsed_s += _TICK_S
            kubernetes.tick(elapsed_s)

    threads = [
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}),
        threading.Thread(target=keep_on),
    ]
    for thread in threads:
        thread.start()
    try:
        yield kubernetes
    finally:
        stop.set()
        server.shutdown()
        for thread in threads:
            thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def kubernetes_api() -> Iterator[FakeKubernetes]:
    """Give a server that the whole session shares; clear it after use."""
    with running_kubernetes() as kubernetes:
        yield kubernetes
