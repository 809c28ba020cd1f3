"""Keys that were looked up a moment ago, so that thousands of requests a second need no database."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

from quetzalcore.identity.rules import FoundKey

__all__ = ["KeyCache"]


class KeyCache:
    """Remembers found keys by digest for a few seconds.

    A key that is revoked through this process is forgotten at once; one that another process
    revokes works here until its entry is too old.
    """

    def __init__(
        self,
        *,
        ttl_s: float = 3.0,
        most: int = 10_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ttl_s = ttl_s
        self._most = most
        self._monotonic = monotonic
        self._generation = 0
        self._entries: OrderedDict[str, tuple[float, FoundKey]] = OrderedDict()

    @property
    def generation(self) -> int:
        """A number that rises when something was forgotten: what was read before may be wrong."""
        return self._generation

    def get(self, digest: str) -> FoundKey | None:
        """Give a key that was found a moment ago."""
        entry = self._entries.get(digest)
        if entry is None or self._monotonic() >= entry[0]:
            return None
        return entry[1]

    def put(self, digest: str, found: FoundKey, *, generation: int) -> None:
        """Remember a key, unless something was forgotten since the caller began to read it."""
        if generation != self._generation:
            return
        self._entries[digest] = (self._monotonic() + self._ttl_s, found)
        self._entries.move_to_end(digest)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def replace(self, digest: str, found: FoundKey) -> None:
        """Change what is remembered of a key without remembering it for longer."""
        entry = self._entries.get(digest)
        if entry is not None:
            self._entries[digest] = (entry[0], found)

    def forget_all(self) -> None:
        """Look everything up again: cheap, and nobody revokes keys all the time."""
        self._generation += 1
        self._entries.clear()
