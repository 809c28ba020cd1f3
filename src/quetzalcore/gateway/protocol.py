"""HTTP on one connection, with less patience than uvicorn for clients that never finish their headers."""

from __future__ import annotations

import asyncio
import json

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from quetzalcore.gateway.problems import PROBLEM_JSON, BadRequest, Problem, SlowBody, problem_of
from quetzalcore.jobs.ids import new_id

__all__ = ["patient_protocol"]

_LONGEST_HEADERS = 32 * 1024


def patient_protocol(header_s: float) -> type[HttpToolsProtocol]:
    """Give the protocol class that waits ``header_s`` for a request's headers and no longer."""

    class Protocol(_Protocol):
        """The protocol with this patience."""

        patience_s = header_s

    return Protocol


class _Protocol(HttpToolsProtocol):
    patience_s = 10.0
    _timer: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrived()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_bytes = 0
        if self._timer is None:
            self._wait()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._count(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        self._arrived()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; in the words of every other refusal."""
        self._refuse(problem_of(BadRequest(msg.rstrip("."), hint="use an HTTP client")))

    def _wait(self) -> None:
        self._timer = self.loop.call_later(self.patience_s, self._too_late)

    def _arrived(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_late(self) -> None:
        self._timer = None
        self._refuse(
            problem_of(SlowBody("the request's headers did not come", hint="send them at once"))
        )

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > _LONGEST_HEADERS:
            self._refuse(problem_of(BadRequest("the headers are too long", hint="send fewer")))

    def _refuse(self, problem: Problem) -> None:
        if self.transport.is_closing():
            return
        body = json.dumps(problem.document(instance="", request_id=new_id())).encode()
        self.transport.write(
            b"HTTP/1.1 %d \r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
            % (problem.status, PROBLEM_JSON.encode(), len(body), body)
        )
        self.transport.close()
