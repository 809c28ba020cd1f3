"""JSON without the ``json`` package (its imports are half of a bare start), over descriptor 3."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as type checkers read it; importing ``typing`` costs 4 ms
if TYPE_CHECKING:
    from typing import Any

__all__ = ["CHANNEL", "decode", "encode", "receive", "send", "write_all"]

CHANNEL = 3
_CHUNK = 1 << 16


class _Settings:
    """What the scanner of CPython's ``json`` asks its decoder for."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def decode(line: bytes) -> Any:  # noqa: ANN401 -- JSON
    """Read one JSON document that the host has written."""
    try:
        from _json import make_scanner  # noqa: PLC0415 -- CPython's own; others have none
    except ImportError:
        import json  # noqa: PLC0415

        return json.loads(line)
    value, _ = make_scanner(_Settings)(  # type: ignore[arg-type]  # it reads attributes only
        line.decode().strip(), 0
    )
    return value


def encode(value: object) -> bytes:
    """Write one JSON document; ``ValueError`` for NaN and infinity, ``TypeError`` for what is no JSON."""
    try:
        from _json import encode_basestring_ascii, make_encoder  # noqa: PLC0415
    except ImportError:
        import json  # noqa: PLC0415

        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    encoder = make_encoder(
        {}, _refuse, encode_basestring_ascii, None, ":", ",", False, False, False
    )
    return "".join(encoder(value, 0)).encode()


def receive() -> Any:  # noqa: ANN401 -- a JSON object
    """Wait for the host's next message, which is the only one under way; None at the end."""
    kept = b""
    while not kept.endswith(b"\n"):
        data = os.read(CHANNEL, _CHUNK)
        if not data:
            return None
        kept += data
    return decode(kept)


def send(message: dict[str, object]) -> None:
    """Write one message to the host, whole."""
    write_all(encode(message) + b"\n")


def write_all(data: bytes) -> None:
    """Write bytes to the host, however often the kernel takes only a part."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(CHANNEL, rest) :]


def _refuse(value: object) -> object:
    raise TypeError(f"{type(value).__name__} is not JSON")
