from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quetzalcore.errors import BadParameter
from quetzalcore.ops.supervisor.control import (
    LaunchRequest,
    NoRoom,
    ReopenLogsRequest,
    RestartRequest,
    ScaleRequest,
    StatusRequest,
    StopRequest,
    TerminateRequest,
    answer_line,
    parsed_answer,
    parsed_request,
    refusal_line,
    request_line,
)


@pytest.mark.parametrize(
    "request_",
    [
        StatusRequest(),
        LaunchRequest(name="scale-1", epoch=7),
        TerminateRequest(id="i3-7f2a-4"),
        ScaleRequest(instances=8),
        RestartRequest(),
        RestartRequest(service="gateway-2", count=1),
        StopRequest(),
        ReopenLogsRequest(),
    ],
    ids=range(8),
)
def test_a_request_is_understood_as_it_was_meant(request_) -> None:
    line = request_line(request_)
    assert line.count(b"\n") == 1
    assert parsed_request(line) == request_


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"{}",
        b'{"do": "explode"}',
        b'{"do": "launch"}',
        b'{"do": "launch", "name": "a", "shape": "big"}',
        b'{"do": "launch", "name": ""}',
        b'{"do": "launch", "name": "a b"}',
        b'{"do": "launch", "name": 3}',
        b'{"do": "launch", "name": "a", "epoch": -1}',
        b'{"do": "scale", "instances": 0}',
        b'{"do": "scale", "instances": true}',
        b'{"do": "scale", "instances": 1.5}',
        b'{"do": "scale", "instances": 10001}',
        b'{"do": "terminate", "id": ""}',
        b'{"do": "restart", "service": "../x"}',
    ],
    ids=range(16),
)
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(BadParameter):
        parsed_request(line)


@given(st.binary(max_size=200))
def test_no_line_does_harm(line: bytes) -> None:
    with suppress(BadParameter):
        assert parsed_request(request_line(parsed_request(line))) == parsed_request(line)


def test_an_answer_says_whether_it_was_done() -> None:
    assert parsed_answer(answer_line(restarting=["gateway-1"])) == {
        "ok": True,
        "restarting": ["gateway-1"],
    }
    refused = parsed_answer(refusal_line(NoRoom("full", hint="wait")))
    assert refused == {"ok": False, "code": "no_room", "detail": "full", "hint": "wait"}
    with pytest.raises(BadParameter):
        parsed_answer(b'{"status": {}}')
