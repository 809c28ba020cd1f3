"""What can go wrong when a file is moved, and the check that it came as it was."""

from __future__ import annotations

import hashlib
from pathlib import Path

from quetzalcore.cluster.messages import InputLink
from quetzalcore.errors import Permanent, Retryable

__all__ = ["DamagedInput", "TransferFailed", "check_digest"]


class TransferFailed(Retryable):
    """A file could not be moved this time."""

    code = "transfer_failed"
    title = "A file could not be moved"


class DamagedInput(Permanent):
    """A stored input is not what was uploaded."""

    code = "damaged_input"
    title = "An input file is damaged"


def check_digest(link: InputLink, path: Path) -> None:
    """Compare a fetched file with what its link promises.

    Raises
    ------
    DamagedInput
        If size or SHA-256 differ.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest() if size == link.size else ""
    if digest != link.sha256:
        raise DamagedInput(
            f"the stored file {link.name!r} ({size} bytes) is not the one that was uploaded"
            f" ({link.size} bytes)",
            hint="upload it again",
        )
