"""Where simulated jobs find room: the fullest worker that has it, without a look at every worker."""

from __future__ import annotations

from bisect import bisect_left, insort

__all__ = ["Pool", "Room"]

Room = tuple[int, int, int]
"""vGPUs, thousandths of cores and MiB of memory that are free, or asked for."""


class Pool:
    """Workers by what they have free. Those with the same are one bucket; the buckets are kept in order.

    A search begins at the first bucket that could fit and ends at the first that does, so that its time follows
    from how many different amounts are free, hardly from how many workers there are.
    """

    def __init__(self) -> None:
        self._buckets: dict[Room, dict[int, None]] = {}
        self._order: list[Room] = []

    def put(self, worker: int, room: Room) -> None:
        """Let a worker be found."""
        bucket = self._buckets.get(room)
        if bucket is None:
            self._buckets[room] = {worker: None}
            insort(self._order, room)
        else:
            bucket[worker] = None

    def drop(self, worker: int, room: Room) -> None:
        """Let a worker be found no more."""
        bucket = self._buckets[room]
        del bucket[worker]
        if not bucket:
            self._forget(room)

    def take(self, asked: Room) -> int | None:
        """Take the fullest worker with room for a request out of the pool; None where there is none."""
        order = self._order
        _, cores, memory = asked
        place = bisect_left(order, asked)
        while place < len(order):
            room = order[place]
            if room[1] < cores:
                place = bisect_left(order, (room[0], cores, memory), place)
            elif room[2] < memory:
                place += 1
            else:
                bucket = self._buckets[room]
                worker, _ = bucket.popitem()
                if not bucket:
                    self._forget(room)
                return worker
        return None

    def _forget(self, room: Room) -> None:
        del self._buckets[room]
        del self._order[bisect_left(self._order, room)]
