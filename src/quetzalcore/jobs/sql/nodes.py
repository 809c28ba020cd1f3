"""The worker nodes, as the leading master last saw them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from quetzalcore.database import Database
from quetzalcore.jobs.ledger import NotFound
from quetzalcore.jobs.model import Node, Resources
from quetzalcore.jobs.sql.database import reading, writing
from quetzalcore.jobs.sql.leading import check_epoch
from quetzalcore.jobs.sql.statements import upsert
from quetzalcore.jobs.sql.tables import nodes

__all__ = ["SqlNodeBook"]


class SqlNodeBook:
    """A ``NodeBook`` on the ledger's database. Whether a node drains is the operator's word and outlives its reports."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, nodes: Sequence[Node], *, epoch: int) -> None:
        """Write the nodes that exist now."""
        await writing(self._database, lambda c: _put(c, nodes, epoch=epoch))

    async def list(self) -> tuple[Node, ...]:
        """Give the nodes as last written."""
        return await reading(self._database, _list)

    async def drain(self, node_id: str, *, draining: bool) -> None:
        """Ask that nothing new starts on a node, or take that back."""

        def work(connection: Connection) -> None:
            change = update(nodes).where(nodes.c.id == node_id).values(draining=draining)
            if connection.execute(change).rowcount == 0:
                raise NotFound(
                    f"there is no node {node_id!r}", hint="list the nodes that there are"
                )

        await writing(self._database, work, announce=True)


def _put(connection: Connection, found: Sequence[Node], *, epoch: int) -> None:
    check_epoch(connection, epoch)
    connection.execute(delete(nodes).where(nodes.c.id.not_in([node.id for node in found])))
    if not found:
        return
    statement = upsert(connection.dialect.name, nodes)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["id"], set_={"report": statement.excluded.report}
        ),
        [
            {"id": node.id, "draining": node.draining, "report": _report(node)}
            for node in sorted(found, key=lambda node: node.id)
        ],
    )


def _list(connection: Connection) -> tuple[Node, ...]:
    return tuple(_node(row) for row in connection.execute(select(nodes).order_by(nodes.c.id)))


def _report(node: Node) -> dict[str, Any]:
    report = asdict(node)
    report["seen_at"] = None if node.seen_at is None else node.seen_at.isoformat()
    return report


def _node(row: Row[Any]) -> Node:
    report = dict(row.report)
    seen_at = report.pop("seen_at")
    total, free = Resources(**report.pop("total")), Resources(**report.pop("free"))
    fields = {**report, "draining": row.draining, "enforces": tuple(report["enforces"])}
    return Node(
        **fields,
        total=total,
        free=free,
        seen_at=None if seen_at is None else dt.datetime.fromisoformat(seen_at),
    )
