"""How a pipeline tells whoever watches where it is."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Progress", "silent"]


class Progress(Protocol):
    """Called when a stage begins, as it advances and when it ends."""

    def __call__(self, stage: str, fraction: float, message: str = "") -> None:
        """Report that ``fraction`` (0 to 1) of ``stage`` is done."""
        ...


def silent(stage: str, fraction: float, message: str = "") -> None:
    """Watch nothing."""
