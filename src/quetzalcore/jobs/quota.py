"""What a tenant may use at most."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Quota"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Limits of one tenant; None is no limit.

    ``max_running`` is held by admission; the ledger holds the others when a job is submitted.
    """

    max_queued: int | None = None
    max_running: int | None = None
    max_artifact_bytes: int | None = None
