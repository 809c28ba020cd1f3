"""A server that speaks EC2: moto's, behind a front that can refuse what is asked, or lose the answer."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from tests.servers.s3 import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY

__all__ = ["Ec2Server", "ec2_server", "running_ec2"]

_ERROR = """<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>
<RequestID>test</RequestID></Response>"""


class Ec2Server(ThreadingHTTPServer):
    """``refusals`` has the code with which an action is refused; ``losing`` actions happen, and nobody hears so."""

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Front)
        self.behind = urlsplit(behind)
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.refusals: dict[str, str] = {}
        self.losing: set[str] = set()
        self.asked: list[dict[str, str]] = []
        client = self.client()
        self.image: str = client.describe_images()["Images"][0]["ImageId"]
        client.close()

    def client(self) -> Any:  # noqa: ANN401 -- boto3 has no types
        """Give an independent client of what stands behind."""
        return boto3.client(
            "ec2",
            endpoint_url=self.behind.geturl(),
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=SECRET_ACCESS_KEY,
            region_name=REGION,
        )

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 -- the base's
        """Say nothing of clients that hang up."""


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Ec2Server

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base's name
        pass

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        query = {**parse_qs(urlsplit(self.path).query), **parse_qs(body.decode())}
        asked = {name: values[0] for name, values in query.items()}
        self.server.asked.append(asked)
        action = asked.get("Action", "")
        if action in self.server.refusals:
            error = _ERROR.format(code=self.server.refusals[action], message="as the test wants it")
            self._answer(400, error.encode())
            return
        behind = http.client.HTTPConnection(self.server.behind.netloc, timeout=30)
        try:
            behind.request(self.command, self.path, body, dict(self.headers))
            answer = behind.getresponse()
            said = answer.read()
        finally:
            behind.close()
        if action in self.server.losing:
            self.server.losing.discard(action)
            self.close_connection = True
            return
        # EC2's namespace ends with a slash, moto's does not; Libcloud insists
        self._answer(answer.status, said.replace(b'/doc/2016-11-15"', b'/doc/2016-11-15/"'))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running_ec2(behind: str) -> Iterator[Ec2Server]:
    """Run the front before moto's server."""
    server = Ec2Server(behind)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def ec2_server(s3_server) -> Iterator[Ec2Server]:
    """Give a server that the whole session shares; use a cluster's name of your own."""
    with running_ec2(s3_server.endpoint) as server:
        yield server
