"""Write a file whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quetzalcore.errors import BadOutput, Where

__all__ = ["whole_file"]


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Give a path beside ``path`` to write to; it takes its place when the block ends well.

    The name keeps the suffix, because some writers choose their format by it. Nothing is left
    behind when the block raises.

    Raises
    ------
    BadOutput
        If the folder is missing or cannot be written to.
    """
    path = Path(path)
    try:
        with tempfile.TemporaryDirectory(prefix=".writing-", dir=path.parent) as folder:
            draft = Path(folder) / path.name
            yield draft
            draft.replace(path)
    except OSError as error:
        raise BadOutput(
            f"it cannot be written ({error.strerror or error})",
            hint="check that the folder exists, that you may write to it and that the disk has room",
            where=Where(file=str(path)),
        ) from error
