"""Files over real HTTP connections that break, lie and refuse."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from quetzalcore.cluster.http_transfer import HttpMover
from quetzalcore.cluster.messages import InputLink
from quetzalcore.cluster.moving import DamagedInput, TransferFailed

CONTENT = bytes(range(256)) * 4000


class Server(ThreadingHTTPServer):
    """Serves ``CONTENT``; ``breaks`` answers stop midway, ``refusals`` are answered with 503."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.breaks = 0
        self.refusals = 0
        self.status = 0
        self.endless = False
        self.ranges: list[str] = []
        self.stored = b""

    def link(self) -> InputLink:
        digest = hashlib.sha256(CONTENT).hexdigest()
        return InputLink(name="in.bin", url=self.url(), size=len(CONTENT), sha256=digest)

    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/secret-token"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.server.ranges.append(self.headers.get("Range", ""))
        if self._refused():
            return
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(10**9 if self.server.endless else len(body)))
        self.end_headers()
        if self.server.breaks:
            self.server.breaks -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body * (3 if self.server.endless else 1))
        self.close_connection = True

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self._refused():
            return
        self.server.stored = body
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        pass

    def _refused(self) -> bool:
        status = self.server.status
        if self.server.refusals:
            self.server.refusals -= 1
            status = 503
        if status:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
        return bool(status)


@contextmanager
def serving() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def fetch(server: Server, target: Path) -> None:
    async def work() -> None:
        mover = HttpMover(pause_s=0.001)
        try:
            await mover.fetch(server.link(), target)
        finally:
            await mover.close()

    asyncio.run(work())


def put(server: Server, source: Path) -> None:
    async def work() -> None:
        mover = HttpMover(pause_s=0.001)
        try:
            await mover.put(source, server.url())
        finally:
            await mover.close()

    asyncio.run(work())


def test_a_broken_download_goes_on_where_it_ended(tmp_path) -> None:
    with serving() as server:
        server.breaks = 2
        fetch(server, tmp_path / "in.bin")
        assert (tmp_path / "in.bin").read_bytes() == CONTENT
        assert server.ranges[0] == ""
        starts = [int(wanted[6:-1]) for wanted in server.ranges[1:]]
        assert len(starts) == 2
        assert 0 < starts[0] < starts[1]


def test_a_busy_server_is_asked_again(tmp_path) -> None:
    with serving() as server:
        server.refusals = 3
        fetch(server, tmp_path / "in.bin")
        assert (tmp_path / "in.bin").read_bytes() == CONTENT


def test_a_refusal_is_not_asked_again_and_the_link_is_not_told(tmp_path) -> None:
    with serving() as server:
        server.status = 403
        with pytest.raises(TransferFailed) as caught:
            fetch(server, tmp_path / "in.bin")
        assert len(server.ranges) == 1
        assert "403" in str(caught.value)
        assert "secret-token" not in str(caught.value)


def test_a_server_that_never_mends_is_given_up(tmp_path) -> None:
    with serving() as server:
        server.refusals = 1000
        with pytest.raises(TransferFailed):
            fetch(server, tmp_path / "in.bin")
        assert len(server.ranges) == 5


def test_a_file_that_is_longer_than_promised_is_cut_off_and_refused(tmp_path) -> None:
    with serving() as server:
        server.endless = True
        with pytest.raises(DamagedInput):
            fetch(server, tmp_path / "in.bin")
        assert (tmp_path / "in.bin").stat().st_size < 2 * len(CONTENT)


def test_a_product_is_put_whole_also_at_the_second_try(tmp_path) -> None:
    (tmp_path / "product").write_bytes(CONTENT)
    with serving() as server:
        server.refusals = 1
        put(server, tmp_path / "product")
        assert server.stored == CONTENT
