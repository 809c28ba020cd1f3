"""What operators ask of the scaling: how it is, so many of these, other thresholds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Literal

from quetzalcore.autoscaler.model import Target
from quetzalcore.autoscaler.policies import instance_policy, with_changes, worker_policy
from quetzalcore.errors import BadParameter, Where
from quetzalcore.jobs.ledger import Conflict
from quetzalcore.jobs.scaling import ScalingBook, ScalingRecord, Standing, Wish

__all__ = ["Action", "Autoscaler", "NobodyLeads"]

Action = Literal["up", "down", "set"]


class NobodyLeads(Conflict):
    """No leader has looked at the set yet, or it does not scale here."""


class Autoscaler:
    """Writes wishes and changes into the ledger, from where the leading master takes them up.

    ::

        autoscaler = Autoscaler(book, clock)
        await autoscaler.scale_up(count=3)
        await autoscaler.scale_down(count=2, target=Target.INSTANCES)
    """

    def __init__(
        self, book: ScalingBook, clock: Callable[[], dt.datetime], *, by: str = ""
    ) -> None:
        self._book = book
        self._clock = clock
        self._by = by

    async def status(self, *, history: int = 20) -> dict[str, Any]:
        """Give how both sets are, and what was decided lately, newest first."""
        sets = {str(target): _document(await self._book.standing(target)) for target in Target}
        records = await self._book.history(limit=history)
        return {"targets": sets, "history": [_entry(record) for record in records]}

    async def scale_up(self, count: int = 1, *, target: Target = Target.WORKERS) -> int:
        """Ask for so many more; give how many there will be."""
        return await self.scale(target, "up", count)

    async def scale_down(self, count: int = 1, *, target: Target = Target.WORKERS) -> int:
        """Ask for so many fewer; give how many there will be."""
        return await self.scale(target, "down", count)

    async def scale(self, target: Target, action: Action, count: int) -> int:
        """Ask for more, for fewer, or for a number of members; give how many there will be.

        What was asked for lately counts as there, so that two calls add up.

        Raises
        ------
        BadParameter
            If that is outside the set's bounds.
        NobodyLeads
            If no master has looked at the set yet.
        """
        standing = await self._book.standing(target)
        view = _view(standing)
        wanted = {
            "up": _expected(standing) + count,
            "down": _expected(standing) - count,
            "set": count,
        }[action]
        least, most = view["bounds"]["least"], view["bounds"]["most"]
        if not least <= wanted <= most:
            raise BadParameter(
                f"{wanted} {target} would be outside of the bounds, {least} to {most}",
                hint="ask for a number within them, or change them first",
                where=Where(field="count"),
            )
        await self._book.wish(target, Wish(count=wanted, at=self._clock(), by=self._by))
        return wanted

    async def change(self, target: Target, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Change a set's policy while all runs; a None takes a change back. Give the changes that hold.

        Raises
        ------
        BadParameter
            Naming the key that is unknown or whose value is not allowed.
        """
        standing = await self._book.standing(target)
        merged = {**standing.changes, **changes}
        plain = worker_policy() if target is Target.WORKERS else instance_policy()
        holding = with_changes(plain, _view(standing)["policy"])
        with_changes(holding, {name: v for name, v in merged.items() if v is not None})
        await self._book.change(target, changes)
        return dict((await self._book.standing(target)).changes)


def _view(standing: Standing) -> Mapping[str, Any]:
    if not standing.view:
        raise NobodyLeads(
            f"no master has looked at the {standing.target} yet, or they do not scale here",
            hint="start a master, or wait some seconds; instances scale under quetzal up --instances",
        )
    return standing.view


def _expected(standing: Standing) -> int:
    """Give how many members there are, or will be by what was asked for lately."""
    count: int = standing.view.get("expected", 0)
    wish = standing.wish
    if wish is not None and wish.at > dt.datetime.fromisoformat(standing.view["at"]):
        return wish.count  # the leader has not taken it up yet
    manual = standing.view.get("manual")
    return int(manual["count"]) if manual else count


def _document(standing: Standing) -> dict[str, Any] | None:
    """Give a set's view with what operators said; None where it does not scale."""
    if not standing.view:
        return None
    wish = standing.wish
    said = wish and {"count": wish.count, "at": wish.at.isoformat(), "by": wish.by}
    return {**standing.view, "wish": said, "changes": dict(standing.changes)}


def _entry(record: ScalingRecord) -> dict[str, Any]:
    return {
        "at": record.at.isoformat(),
        "target": record.target,
        "action": record.action,
        "count": record.count,
        "done": record.done,
        "before": record.before,
        "reason": record.reason,
        "by": record.by,
        "note": record.note,
        "metrics": dict(record.metrics),
    }
