"""What the leading master knows of live attempts, and what follows when an agent says which it holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from quetzalcore.cluster.fitting import weight
from quetzalcore.jobs.ledger import TenantLoad
from quetzalcore.jobs.model import Job, Node, Resources

__all__ = ["Book", "Differences", "Held", "held_by"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A live attempt and what it holds."""

    attempt_id: str
    job_id: str
    tenant: str
    node: str
    resources: Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Attempts that the agent should have and has not, and those that it has and should not."""

    lost: tuple[Held, ...] = ()
    unknown: tuple[str, ...] = ()


def held_by(job: Job) -> Held:
    """Give the live attempt of a job that has one: its last."""
    attempt = job.attempts[-1]
    return Held(
        attempt_id=attempt.id,
        job_id=job.id,
        tenant=job.request.tenant,
        node=attempt.node,
        resources=attempt.asked,
    )


class Book:
    """Live attempts by id, by job and by node."""

    def __init__(self, attempts: Iterable[Held] = ()) -> None:
        self._attempts: dict[str, Held] = {}
        self._of_job: dict[str, str] = {}
        self._of_node: dict[str, dict[str, None]] = {}
        for held in attempts:
            self.add(held)

    def __len__(self) -> int:
        """Count the live attempts."""
        return len(self._attempts)

    def get(self, attempt_id: str) -> Held | None:
        """Give an attempt if it is live."""
        return self._attempts.get(attempt_id)

    def of_job(self, job_id: str) -> Held | None:
        """Give a job's live attempt."""
        return self._attempts.get(self._of_job.get(job_id, ""))

    def of_node(self, node_id: str) -> tuple[Held, ...]:
        """Give a node's attempts in the order in which they were admitted."""
        return tuple(self._attempts[attempt] for attempt in self._of_node.get(node_id, ()))

    def add(self, held: Held) -> None:
        """Write down a live attempt."""
        self._attempts[held.attempt_id] = held
        self._of_job[held.job_id] = held.attempt_id
        self._of_node.setdefault(held.node, {})[held.attempt_id] = None

    def drop(self, attempt_id: str) -> Held | None:
        """Forget an attempt that is live no more."""
        held = self._attempts.pop(attempt_id, None)
        if held is not None:
            self._of_node[held.node].pop(attempt_id, None)
            if self._of_job.get(held.job_id) == attempt_id:
                del self._of_job[held.job_id]
        return held

    def loads(self) -> tuple[TenantLoad, ...]:
        """Give what each tenant's live attempts hold; ``cpus`` by their weight, as admission counts it."""
        cpus: dict[str, float] = {}
        running: dict[str, int] = {}
        for held in self._attempts.values():
            cpus[held.tenant] = cpus.get(held.tenant, 0.0) + weight(held.resources)
            running[held.tenant] = running.get(held.tenant, 0) + 1
        return tuple(
            TenantLoad(tenant=tenant, running=count, cpus=round(cpus[tenant], 6))
            for tenant, count in running.items()
        )

    def free(self, node: Node) -> Resources:
        """Give what a node has beyond what its live attempts hold."""
        held = [attempt.resources for attempt in self.of_node(node.id)]
        total = node.total
        return Resources(
            cpus=round(total.cpus - sum(r.cpus for r in held), 6),
            memory_mib=total.memory_mib - sum(r.memory_mib for r in held),
            vgpus=total.vgpus - sum(r.vgpus for r in held),
            scratch_mib=total.scratch_mib - sum(r.scratch_mib for r in held),
        )

    def compare(
        self, node_id: str, holds: Collection[str], *, before: Collection[str]
    ) -> Differences:
        """Compare with what an agent says that it holds.

        ``before`` are the attempts whose start it had been told, well or not, when it was asked: that it
        has not what was begun meanwhile proves nothing.
        """
        has = frozenset(holds)
        return Differences(
            lost=tuple(
                held
                for held in self.of_node(node_id)
                if held.attempt_id in before and held.attempt_id not in has
            ),
            unknown=tuple(a for a in holds if a not in self._attempts),
        )
