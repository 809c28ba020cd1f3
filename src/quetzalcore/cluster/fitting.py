"""Which node fits a request: a tree of greatest free amounts, so that a search does not look at every node."""

from __future__ import annotations

from collections.abc import Sequence

from quetzalcore.jobs.model import Node, Resources

__all__ = ["DEFAULT_VM", "Capacity", "granted", "lacking", "wanted", "weight"]

DEFAULT_VM = Resources(cpus=4.0, memory_mib=8192, vgpus=0, scratch_mib=1024)
"""A request up to this size fits any node: on a smaller one it is scaled down to what the node has."""

Amounts = tuple[float, float, float, float, float]
_NOTHING: Amounts = (-1.0, -1.0, -1.0, -1.0, -1.0)


def weight(resources: Resources) -> float:
    """Say how much of a node's worth a job holds, in cores: by cores or by memory, whichever is more.

    By cores alone, who asks for next to none of them and all of the memory would always go first.
    """
    a_cores_mib = DEFAULT_VM.memory_mib / DEFAULT_VM.cpus
    return max(resources.cpus, resources.memory_mib / a_cores_mib)


def wanted(resources: Resources, *, walls: bool) -> Amounts:
    """Give a request as amounts; ``walls`` asks for a node that enforces every limit."""
    return (
        resources.cpus,
        resources.memory_mib,
        resources.vgpus,
        resources.scratch_mib,
        1.0 if walls else 0.0,
    )


def granted(asked: Resources, node: Node) -> Resources:
    """Give what a node gives to a request that fits it: all of it, or all that a small node has."""
    return Resources(
        cpus=min(asked.cpus, node.total.cpus),
        memory_mib=min(asked.memory_mib, node.total.memory_mib),
        vgpus=asked.vgpus,
        scratch_mib=min(asked.scratch_mib, node.total.scratch_mib),
    )


def offered(node: Node, free: Resources) -> Amounts:
    """Give what requests find free on a node.

    Where a node has less than the default VM in all, and all of it is free, it offers the default VM's amount.
    """
    total = node.total
    return (
        _scaled(free.cpus, total.cpus, DEFAULT_VM.cpus),
        _scaled(free.memory_mib, total.memory_mib, DEFAULT_VM.memory_mib),
        free.vgpus,
        _scaled(free.scratch_mib, total.scratch_mib, DEFAULT_VM.scratch_mib),
        1.0 if node.trust == "tenant" else 0.0,
    )


def lacking(request: Amounts, node: Node, free: Resources) -> float:
    """Say how far a node is from fitting a request, as a share of what it has; 0 if it fits."""
    there = offered(node, free)
    total = offered(node, node.total)
    return sum(
        max(0.0, want - have) / max(all_of_it, 1.0)
        for want, have, all_of_it in zip(request, there, total, strict=True)
    )


class Capacity:
    """What is free on each node, searched by its greatest amounts in the time of the tree's height.

    Nodes are tried from the fullest to the emptiest (by cores, then memory, vGPUs last of all), so that a request
    takes the smallest gap that it fits and nodes with vGPUs stay free for those who need them.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = sorted(
            nodes, key=lambda n: (n.free.vgpus, n.free.cpus, n.free.memory_mib, n.id)
        )
        self.free = [node.free for node in self.nodes]
        self._leaves = 1 << max(0, len(self.nodes) - 1).bit_length()
        self._greatest = [_NOTHING] * (2 * self._leaves)
        self._passed: dict[Amounts, int] = {}
        for place, node in enumerate(self.nodes):
            self._greatest[self._leaves + place] = offered(node, node.free)
        for place in range(self._leaves - 1, 0, -1):
            self._greatest[place] = self._greater(place)

    def find(self, request: Amounts) -> int | None:
        """Give the place of the first node that fits a request.

        Room only shrinks, so a like request never looks again at the nodes that one before it has passed over:
        greatest amounts of several kinds may be of different nodes, and lead it to many that do not fit.
        """
        greatest, leaves = self._greatest, self._leaves
        if not _fits(request, greatest[1]):
            return None
        place = leaves + self._passed.get(request, 0)
        while place:
            if _fits(request, greatest[place]):
                if place >= leaves:
                    self._passed[request] = place - leaves
                    return place - leaves
                place *= 2
                continue
            while place & 1:  # out of the subtrees that end here; beyond the root there is nothing
                place >>= 1
            if place:
                place += 1
        return None

    def take(self, place: int, amount: Resources) -> None:
        """Take an amount from a node."""
        free = self.free[place]
        self.free[place] = Resources(
            cpus=free.cpus - amount.cpus,
            memory_mib=free.memory_mib - amount.memory_mib,
            vgpus=free.vgpus - amount.vgpus,
            scratch_mib=free.scratch_mib - amount.scratch_mib,
        )
        self._set(place, offered(self.nodes[place], self.free[place]))

    def close(self, place: int) -> None:
        """Let no request find a node any more."""
        self._set(place, _NOTHING)

    def _set(self, place: int, amounts: Amounts) -> None:
        place += self._leaves
        self._greatest[place] = amounts
        while place > 1:
            place //= 2
            self._greatest[place] = self._greater(place)

    def _greater(self, place: int) -> Amounts:
        a, b = self._greatest[2 * place], self._greatest[2 * place + 1]
        return (
            max(a[0], b[0]),
            max(a[1], b[1]),
            max(a[2], b[2]),
            max(a[3], b[3]),
            max(a[4], b[4]),
        )


def _scaled(free: float, total: float, default: float) -> float:
    return default if free >= total and total < default else free


def _fits(request: Amounts, there: Amounts) -> bool:
    return (
        request[0] <= there[0]
        and request[1] <= there[1]
        and request[2] <= there[2]
        and request[3] <= there[3]
        and request[4] <= there[4]
    )
