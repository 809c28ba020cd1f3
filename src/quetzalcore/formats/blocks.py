"""Text in blocks of whole rows, decoded to UTF-8, with the number of each block's first row."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

from quetzalcore.errors import BadTable, Where

__all__ = ["Block", "count_rows", "text_blocks"]

_BLOCK_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Whole rows of UTF-8 text, the first of them at ``first_row`` (from 1), or each at ``rows``."""

    first_row: int
    data: bytes
    rows: NDArray[np.int64] | None = None

    def row_numbers(self) -> NDArray[np.int64]:
        """Give the number of every row, blank ones too."""
        if self.rows is not None:
            return self.rows
        return np.arange(self.first_row, self.first_row + count_rows(self.data), dtype=np.int64)


def count_rows(data: bytes) -> int:
    """Count rows, whether or not the last one ends with a newline."""
    return data.count(b"\n") + (1 if data and not data.endswith(b"\n") else 0)


def text_blocks(
    stream: IO[bytes], *, encoding: str, where: Where, max_row_bytes: int, size: int = _BLOCK_BYTES
) -> Iterator[Block]:
    """Cut a stream into blocks that end with a row; every kind of line end becomes a newline.

    Raises
    ------
    BadTable
        If a row is longer than ``max_row_bytes``.
    """
    row, rest = 1, b""
    for piece in _utf8(stream, encoding, size):
        cut = piece.rfind(b"\n") + 1
        longest = max(len(rest) + (cut and piece.find(b"\n")), len(piece) - cut)
        if longest > max_row_bytes:
            raise BadTable(
                f"a row is longer than {max_row_bytes:,} bytes",
                hint="check that the file is a table with one station a row",
                where=Where(file=where.file, row=row + (0 if not cut else count_rows(piece[:cut]))),
            )
        if cut:
            block = rest + piece[:cut]
            yield Block(first_row=row, data=block)
            row += block.count(b"\n")
            rest = piece[cut:]
        else:
            rest += piece
    if rest:
        yield Block(first_row=row, data=rest)


def _utf8(stream: IO[bytes], encoding: str, size: int) -> Iterator[bytes]:
    """Give the stream's bytes as UTF-8 with newlines only."""
    plain = encoding in {"utf-8", "utf-8-sig"}
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    first, carry = True, b""
    while piece := stream.read(size):
        if plain:
            data = piece.removeprefix(codecs.BOM_UTF8) if first else piece
        else:
            data = decoder.decode(piece).encode()
        first = False
        data = carry + data
        carry = b"\r" if data.endswith(b"\r") else b""
        yield _newlines(data[: len(data) - len(carry)])
    if carry:
        yield b"\n"


def _newlines(data: bytes) -> bytes:
    if b"\r" not in data:
        return data
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
