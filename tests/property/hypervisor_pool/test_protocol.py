from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from quetzalcore.cluster.messages import EventBatch, Finished
from quetzalcore.hypervisor.guest import wire
from quetzalcore.hypervisor.protocol import (
    LINE_BYTES,
    RESULT_BYTES,
    BranchEnded,
    Failed,
    Logged,
    Malformed,
    Parser,
    Progressed,
    Ready,
    Result,
)
from quetzalcore.jobs.model import Failure
from quetzalcore.jobs.nesting import is_too_deep

MESSAGES = (Ready, Progressed, Logged, Result, Failed, BranchEnded, Malformed)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)
KINDS = st.sampled_from(["ready", "progress", "log", "result", "error", "branch", "task", ""])
FIELDS = st.sampled_from(
    ["stage", "fraction", "message", "text", "level", "value", "vgpu", "code", "title", "detail",
     "hint", "remedy", "where", "branch", "status", "cpu_s", "peak_memory_mib", "tier"]
)  # fmt: skip
NEARLY = st.builds(
    lambda kind, rest: json.dumps({"type": kind, **rest}).encode() + b"\n",
    KINDS,
    st.dictionaries(FIELDS, JSON),
)


@given(st.lists(st.binary(max_size=200) | NEARLY, max_size=10))
def test_whatever_bytes_come_only_messages_come_out(chunks: list[bytes]) -> None:
    parser = Parser()
    heard = [message for chunk in chunks for message in parser.feed(chunk)]
    assert all(isinstance(message, MESSAGES) for message in heard)
    ends = [i for i, m in enumerate(heard) if isinstance(m, Result | Failed | Malformed)]
    assert ends in ([], [len(heard) - 1])  # deaf after the first


@given(st.lists(NEARLY, max_size=6), st.data())
def test_messages_do_not_depend_on_how_the_bytes_are_cut(lines: list[bytes], data) -> None:
    whole = b"".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    edges = [0, *cuts, len(whole)]
    parser = Parser()
    pieces = [m for a, b in pairwise(edges) for m in parser.feed(whole[a:b])]
    assert pieces == Parser().feed(whole)


@given(st.dictionaries(TEXTS, JSON))
def test_a_result_comes_through_as_it_was_sent(value: dict[str, Any]) -> None:
    line = wire.encode({"type": "result", "value": value, "vgpu": {}}) + b"\n"
    (message,) = Parser().feed(line)
    assert isinstance(message, Result)
    assert message.value == value


@given(JSON)
def test_the_guests_json_is_json(value: object) -> None:
    assert json.loads(wire.encode(value)) == value
    assert wire.decode(json.dumps(value).encode() + b"\n") == value


@given(NEARLY)
def test_no_text_that_is_passed_on_breaks_a_log_or_a_database(line: bytes) -> None:
    for message in Parser().feed(line):
        texts = []
        if isinstance(message, Logged):
            texts = [message.text, message.level]
        elif isinstance(message, Progressed):
            texts = [message.stage, message.message]
            assert 0 <= message.fraction <= 1
        elif isinstance(message, Failed):
            failure: Failure = message.failure
            texts = [failure.code, failure.title, failure.detail, failure.hint]
        for text in texts:
            assert "\n" not in text
            assert "\0" not in text
            text.encode()


def _refused(line: bytes) -> str:
    heard = Parser().feed(line)
    assert isinstance(heard[-1], Malformed)
    return heard[-1].reason


def test_a_long_log_line_is_refused_before_it_has_ended() -> None:
    assert "longer" in _refused(b'{"type":"log","text":"' + b"a" * LINE_BYTES)


def test_a_result_may_be_long_but_not_endless() -> None:
    start = b'{"type":"result","value":{"a":"'
    assert Parser().feed(start + b"a" * LINE_BYTES) == []
    assert "longer" in _refused(start + b"a" * RESULT_BYTES)


def test_numbers_that_no_json_knows_are_refused() -> None:
    for number in (b"NaN", b"Infinity", b"1e999"):
        _refused(b'{"type":"result","value":{"a":' + number + b"}}\n")


def test_half_characters_and_nul_are_refused() -> None:
    for text in (rb"\ud800", rb"\uDC00", rb"\u0000"):
        _refused(b'{"type":"result","value":{"a":"' + text + b'"}}\n')


def test_nesting_without_end_is_refused() -> None:
    _refused(b"[" * 50_000 + b"\n")


@given(st.integers(0, 900), st.sampled_from([("[", "]"), ('{"a":', "}"), ('[1,{"b":', "}]")]))
def test_a_result_that_is_heard_can_be_told_to_the_master(
    depth: int, pair: tuple[str, str]
) -> None:
    opening, closing = pair
    value = opening * depth + "1" + closing * depth
    (heard,) = Parser().feed(f'{{"type":"result","value":{{"x":{value}}}}}\n'.encode())
    if isinstance(heard, Malformed):
        assert "deep" in heard.reason
        assert depth > 40
        return
    assert isinstance(heard, Result)
    event = Finished(sequence=1, attempt_id="a", job_id="j", ending="succeeded", result=heard.value)
    batch = EventBatch(events=(event,))
    assert EventBatch.model_validate_json(batch.model_dump_json()) == batch


@given(JSON, st.integers(0, 8))
def test_nesting_is_counted_as_a_plain_recursion_counts_it(value: object, levels: int) -> None:
    def depth(document: object) -> int:
        if not isinstance(document, dict | list):
            return 0
        inner = document.values() if isinstance(document, dict) else document
        return 1 + max((depth(each) for each in inner), default=0)

    assert is_too_deep(value, levels=levels) == (depth(value) > levels)
