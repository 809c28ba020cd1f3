"""What a tenant may use at most."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LEAST_UPLOAD_BYTES", "Quota"]

LEAST_UPLOAD_BYTES = 4096  # what an empty file takes on a disk, and its row


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Limits of one tenant; None is no limit.

    ``max_running`` is held by admission, ``max_upload_bytes`` by the book of uploads; the ledger holds the
    others when a job is submitted. An upload counts until it is deleted, and for ``LEAST_UPLOAD_BYTES`` at least.
    """

    max_queued: int | None = None
    max_running: int | None = None
    max_artifact_bytes: int | None = None
    max_upload_bytes: int | None = None
