"""Ranges, file names and multipart forms, for any input."""

from __future__ import annotations

import asyncio
import contextlib
import string
from collections.abc import Awaitable, Callable

from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from quetzalcore.gateway.multipart import form_parts
from quetzalcore.gateway.names import safe_filename
from quetzalcore.gateway.problems import BadRequest, RangeNotSatisfiable, TooLarge
from quetzalcore.gateway.ranges import wanted_range

_HARMLESS = set(string.ascii_letters + string.digits + "._ -")


@given(st.text(max_size=40), st.integers(0, 10**6))
def test_no_range_header_reaches_outside_the_file(header: str, size: int) -> None:
    _check_range(header, size)


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**6))
def test_a_range_is_exactly_what_was_asked_for(first: int, last: int, size: int) -> None:
    _check_range(f"bytes={first}-{last}", size)
    if first <= last and first < size:
        assert wanted_range(f"bytes={first}-{last}", size) == (first, min(last + 1, size))


def _check_range(header: str, size: int) -> None:
    try:
        found = wanted_range(header, size)
    except RangeNotSatisfiable:
        return
    if found is not None:
        assert 0 <= found[0] < found[1] <= size


@given(st.text(max_size=400))
def test_any_file_name_becomes_a_harmless_one(given_name: str) -> None:
    name = safe_filename(given_name)
    assert 1 <= len(name) <= 128
    assert set(name) <= _HARMLESS
    assert name[0] not in ".- "
    assert name not in {".", ".."}
    assert safe_filename(name) == name


_PART_NAME = st.text(string.ascii_letters, min_size=1, max_size=8)


@given(st.lists(st.tuples(_PART_NAME, st.binary(max_size=300)), max_size=5), st.integers(1, 64))
def test_a_form_comes_out_as_it_went_in_however_it_is_cut(
    fields: list[tuple[str, bytes]], cut: int
) -> None:
    body = b""
    for name, content in fields:
        head = f'--xyzzy\r\nContent-Disposition: form-data; name="{name}"; filename="f"\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    body += b"--xyzzy--\r\n"
    fields = [(name, content) for name, content in fields if b"--xyzzy" not in content]
    assert asyncio.run(_read(body, cut)) == fields


@given(st.binary(max_size=400), st.integers(1, 64))
def test_any_bytes_are_a_form_or_a_bad_request(body: bytes, cut: int) -> None:
    with contextlib.suppress(BadRequest, TooLarge):
        asyncio.run(_read(b"--xyzzy\r\n" + body, cut))


async def _read(body: bytes, cut: int) -> list[tuple[str, bytes]]:
    request = Request(
        {
            "type": "http",
            "method": "POST",
            "headers": [(b"content-type", b"multipart/form-data; boundary=xyzzy")],
        },
        _received(body, cut),
    )
    return [(part.name, await part.text(10**6)) async for part in form_parts(request)]


def _received(body: bytes, cut: int) -> Callable[[], Awaitable[dict[str, object]]]:
    pieces = [body[start : start + cut] for start in range(0, len(body), cut)] or [b""]

    async def receive() -> dict[str, object]:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    return receive
