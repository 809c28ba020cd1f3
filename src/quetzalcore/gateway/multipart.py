"""A multipart form as a stream of its parts, so that a file of any size needs no memory and no disk here."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from quetzalcore.gateway.bodies import body_chunks
from quetzalcore.gateway.problems import BadRequest, TooLarge

__all__ = ["FormPart", "form_parts"]

_MOST_PARTS = 32
_MOST_HEADER_BYTES = 8192


@dataclass(slots=True)
class FormPart:
    """One part; its chunks must be read before the next part is asked for."""

    name: str
    filename: str | None
    chunks: AsyncIterator[bytes]

    async def text(self, limit: int) -> bytes:
        """Give the whole part if it is small.

        Raises
        ------
        TooLarge
        """
        whole = bytearray()
        async for chunk in self.chunks:
            whole += chunk
            if len(whole) > limit:
                raise TooLarge(
                    f"the form's part {self.name!r} is larger than {limit} bytes",
                    hint="send less, or as a file",
                )
        return bytes(whole)


@dataclass(slots=True)
class _Found:
    """What the parser met, in order: a part's headers, its bytes, its end."""

    queue: deque[dict[bytes, bytes] | bytes | None] = field(default_factory=deque)
    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: bytes = b""
    value: bytes = b""
    parts: int = 0

    def begin(self) -> None:
        self.headers, self.name, self.value = {}, b"", b""
        self.parts += 1
        if self.parts > _MOST_PARTS:
            raise TooLarge(f"the form has more than {_MOST_PARTS} parts", hint="send fewer")

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self.name += data[start:end]
        self._check()

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]
        self._check()

    def header_end(self) -> None:
        self.headers[self.name.lower()] = self.value
        self.name = self.value = b""
        self._check()

    def headers_finished(self) -> None:
        self.queue.append(self.headers)

    def data(self, data: bytes, start: int, end: int) -> None:
        self.queue.append(data[start:end])

    def end(self) -> None:
        self.queue.append(None)

    def _check(self) -> None:
        held = sum(len(key) + len(value) for key, value in self.headers.items())
        if held + len(self.name) + len(self.value) > _MOST_HEADER_BYTES:
            raise TooLarge("a form part's headers are too long", hint="send shorter names")


async def form_parts(request: Request) -> AsyncIterator[FormPart]:
    """Give the parts of a multipart form as they come.

    Raises
    ------
    BadRequest
        If the body is not such a form.
    """
    reader = _Reader(request)
    while (headers := await reader.next_headers()) is not None:
        _, options = parse_options_header(headers.get(b"content-disposition", b""))
        if b"name" not in options:
            raise BadRequest("a part of the form has no name", hint="name every part")
        filename = options.get(b"filename")
        chunks = reader.data()
        yield FormPart(
            name=options[b"name"].decode("utf-8", "replace"),
            filename=None if filename is None else filename.decode("utf-8", "replace"),
            chunks=chunks,
        )
        async for _ in chunks:  # what the caller did not want
            pass


class _Reader:
    def __init__(self, request: Request) -> None:
        self._found = _Found()
        self._parser = _parser(request, self._found)
        self._body = body_chunks(request)
        self._in_part = False

    async def next_headers(self) -> dict[bytes, bytes] | None:
        while await self._more():
            item = self._found.queue.popleft()
            if isinstance(item, dict):
                self._in_part = True
                return item
        return None

    async def data(self) -> AsyncIterator[bytes]:
        while self._in_part:
            if not await self._more():
                raise BadRequest("the form breaks off within a part", hint="send all of it")
            item = self._found.queue.popleft()
            if isinstance(item, bytes):
                yield item
            else:
                self._in_part = False

    async def _more(self) -> bool:
        while not self._found.queue:
            chunk = await anext(self._body, None)
            if chunk is None:
                return False
            try:
                self._parser.write(chunk)
            except FormParserError:
                raise BadRequest(
                    "the body is not a multipart form", hint="let your HTTP client build it"
                ) from None
        return True


def _parser(request: Request, found: _Found) -> MultipartParser:
    _, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if not boundary:
        raise BadRequest(
            "the form's Content-Type names no boundary", hint="let your HTTP client set it"
        )
    try:
        return MultipartParser(
            boundary,
            {
                "on_part_begin": found.begin,
                "on_header_field": found.header_name,
                "on_header_value": found.header_value,
                "on_header_end": found.header_end,
                "on_headers_finished": found.headers_finished,
                "on_part_data": found.data,
                "on_part_end": found.end,
            },
        )
    except FormParserError:
        raise BadRequest("the form's boundary is not usable", hint="choose a shorter one") from None
