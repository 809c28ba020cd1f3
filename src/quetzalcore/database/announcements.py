"""Waking those who wait for a change, within one event loop."""

from __future__ import annotations

import asyncio

__all__ = ["Announcements"]


class Announcements:
    """A counter of changes and those who wait for it to rise; used from one event loop only."""

    def __init__(self) -> None:
        self.count = 0
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def awaited(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiters)

    def announce(self) -> None:
        """Count a change and wake everybody who waits."""
        self.count += 1
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait(self, *, timeout_s: float, seen: int | None) -> int:
        """Return the count once it is not ``seen`` any more (None: as it is now), or after the timeout."""
        if timeout_s <= 0 or (seen is not None and seen != self.count):
            return self.count
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                await waiter
        except TimeoutError:
            pass
        finally:
            self._waiters.discard(waiter)
        return self.count
