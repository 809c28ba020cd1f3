"""How many event streams and sockets are open, and whether one more may be."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator

__all__ = ["Streams"]


class Streams:
    """The open streams of one instance, by tenant: one tenant's never take all the room."""

    def __init__(self, most: int, most_of_a_tenant: int) -> None:
        self._most = most
        self._most_of_a_tenant = most_of_a_tenant
        self._open: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """Give how many are open."""
        return self._open.total()

    def refusal(self, tenant: str) -> str:
        """Say why a tenant may not open one more; empty if it may."""
        if self._open[tenant] >= self._most_of_a_tenant:
            return f"{tenant} has {self._most_of_a_tenant} streams open at this instance already"
        return (
            f"this instance serves {self._most} streams already" if self.count >= self._most else ""
        )

    @contextlib.contextmanager
    def one(self, tenant: str) -> Iterator[None]:
        """Count a stream while it is open."""
        self._open[tenant] += 1
        try:
            yield
        finally:
            self._open[tenant] -= 1
            if not self._open[tenant]:
                del self._open[tenant]
