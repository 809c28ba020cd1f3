"""What a VM and its host say to each other: JSON lines, parsed as if an enemy had written them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from quetzalcore.jobs.model import Failure, Remedy
from quetzalcore.jobs.nesting import is_too_deep

__all__ = [
    "LINE_BYTES",
    "RESULT_BYTES",
    "BranchEnded",
    "Failed",
    "Logged",
    "Malformed",
    "Message",
    "Parser",
    "Progressed",
    "Ready",
    "Result",
    "encode_line",
]

LINE_BYTES = 64 << 10
RESULT_BYTES = 8 << 20
_RESULT_START = b'{"type":"result"'  # only such a line may be longer than LINE_BYTES
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_LEVELS = frozenset({"debug", "info", "warning", "error"})
_TEXT, _SENTENCE, _PARAGRAPH = 200, 1000, 4000
_MOST_BRANCHES = 1 << 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The VM waits for its task."""

    tier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed:
    """How far the task is."""

    stage: str
    fraction: float
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One line that the task wrote."""

    text: str
    level: str = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The task has ended well."""

    value: Mapping[str, Any]
    vgpu: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The task has ended with an error."""

    failure: Failure
    vgpu: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchEnded:
    """A job that was forked from this VM has ended; ``status`` is negative for a signal."""

    branch: int
    status: int
    cpu_s: float = 0.0
    peak_memory_mib: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """What came is no message; the parser hears nothing more."""

    reason: str


Message = Ready | Progressed | Logged | Result | Failed | BranchEnded | Malformed


class _NoMessageError(ValueError):
    """A line that means nothing to us."""


class Parser:
    """Bytes in, messages out: deaf after the first end of a task and after the first nonsense."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._searched = 0  # no newline before this
        self._deaf = False

    def feed(self, data: bytes) -> list[Message]:
        """Give the messages that these bytes complete; never raises."""
        self._kept += data
        messages: list[Message] = []
        while self._listens() and (line := self._next_line()) is not None:
            messages.append(self._hear(line))
        if self._listens() and self._too_long(self._kept):
            messages.append(self._refuse("a line is longer than a message may be"))
        if not self._listens():
            self._kept.clear()
        return messages

    def _listens(self) -> bool:
        return not self._deaf

    def _next_line(self) -> bytes | None:
        end = self._kept.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._kept)
            return None
        line = bytes(self._kept[:end])
        del self._kept[: end + 1]
        self._searched = 0
        return line

    def _hear(self, line: bytes) -> Message:
        if self._too_long(line):
            return self._refuse("a line is longer than a message may be")
        try:
            message = _read(line)
        except _NoMessageError as error:
            return self._refuse(str(error))
        self._deaf = isinstance(message, Result | Failed)
        return message

    def _refuse(self, reason: str) -> Malformed:
        self._deaf = True
        return Malformed(reason=reason)

    @staticmethod
    def _too_long(line: bytes | bytearray) -> bool:
        if len(line) <= LINE_BYTES:
            return False
        return len(line) > RESULT_BYTES or not line.startswith(_RESULT_START)


def encode_line(message: Mapping[str, Any]) -> bytes:
    """Write one message for the guest."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _read(line: bytes) -> Message:
    said = _document(line)
    kind = said.get("type")
    if kind == "progress":
        return Progressed(
            stage=_text(said.get("stage"), _TEXT),
            fraction=_amount(said.get("fraction"), 1.0),
            message=_text(said.get("message", ""), _SENTENCE),
        )
    if kind == "log":
        level = _text(said.get("level", "info"), _TEXT)
        return Logged(
            text=_text(said.get("text"), LINE_BYTES), level=level if level in _LEVELS else "info"
        )
    if kind == "result":
        return Result(value=_mapping(said.get("value")), vgpu=_mapping(said.get("vgpu", {})))
    return _read_rare(kind, said)


def _read_rare(kind: object, said: Mapping[str, Any]) -> Message:
    if kind == "error":
        return Failed(failure=_failure(said), vgpu=_mapping(said.get("vgpu", {})))
    if kind == "ready":
        return Ready(tier=_text(said.get("tier"), _TEXT))
    if kind == "branch":
        return BranchEnded(
            branch=_whole(said.get("branch")),
            status=_whole(said.get("status")),
            cpu_s=_amount(said.get("cpu_s")),
            peak_memory_mib=_amount(said.get("peak_memory_mib")),
        )
    raise _NoMessageError(f"there is no message of type {str(kind)[:40]!r}")


def _document(line: bytes) -> Mapping[str, Any]:
    if b"\\u0000" in line:
        raise _NoMessageError("a text holds the character NUL")
    try:
        text = line.decode()  # json.loads would take UTF-16, and halves of characters
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except _NoMessageError:
        raise
    except (ValueError, RecursionError) as error:
        raise _NoMessageError("a line is not JSON") from error
    if is_too_deep(value):  # Python reads it; who reads it after us would not
        raise _NoMessageError("lists and objects are nested too deep")
    if b"\\ud" in line or b"\\uD" in line:
        _check_surrogates(value)
    return _mapping(value)


def _check_surrogates(value: object) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise _NoMessageError("a text holds half a character") from error


def _no_constant(name: str) -> NoReturn:
    raise _NoMessageError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise _NoMessageError("a number is too large")
    return value


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _NoMessageError("a JSON object is missing")
    return value


def _text(value: object, most: int) -> str:
    if not isinstance(value, str):
        raise _NoMessageError("a text is missing")
    return _CONTROL.sub(" ", value[:most])


def _amount(value: object, most: float = 1e9) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _NoMessageError("a number is missing")
    return float(min(most, max(0, value)))


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MOST_BRANCHES:
        raise _NoMessageError("a count is not a small whole number")
    return value


def _failure(said: Mapping[str, Any]) -> Failure:
    code = said.get("code")
    remedy = _text(said.get("remedy", ""), _TEXT)
    where = _mapping(said.get("where", {}))
    return Failure(
        code=code if isinstance(code, str) and _CODE.fullmatch(code) else "defect",
        title=_text(said.get("title"), _TEXT),
        detail=_text(said.get("detail"), _PARAGRAPH),
        hint=_text(said.get("hint", ""), _PARAGRAPH),
        remedy=Remedy(remedy) if remedy in set(Remedy) else Remedy.NONE,
        where={
            name: _text(value, _SENTENCE) if isinstance(value, str) else value
            for name, value in where.items()
            if name in {"file", "row", "column", "field"}
            and isinstance(value, str | int)
            and not isinstance(value, bool)
        },
    )
