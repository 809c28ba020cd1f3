"""``quetzal status``: how the platform is doing, at a glance."""

from __future__ import annotations

from typing import Annotated

import typer

from quetzalcore.cli.connection import connect
from quetzalcore.cli.console import print_json, print_table, say

__all__ = ["status"]


def status(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Show the platform's parts, its nodes and the latest jobs; exit 1 if a part is away.

    Example: quetzal status
    """
    with connect(context.obj) as client:
        health = client.health()
        nodes = client.list_nodes()["items"]
        jobs = client.list_jobs(limit=10)["items"]
        url = client.url
    if as_json:
        print_json({"url": url, "health": health, "nodes": nodes, "jobs": jobs})
    else:
        say(f"{url}: {health['status']}, version {health['version']}")
        parts = [[name, _state(part)] for name, part in health["components"].items()]
        print_table("Parts", ["part", "is"], parts)
        rows = [
            [
                node["id"],
                f"{node['free']['cpus']:g} of {node['total']['cpus']:g}",
                f"{node['free']['memory_mib']:,} of {node['total']['memory_mib']:,}",
                str(node["active_vms"]),
                str(node["warm_vms"]),
                node["runtime"],
                "draining" if node["draining"] else node["trust"],
            ]
            for node in nodes
        ]
        print_table(
            "Nodes", ["node", "free cores", "free MiB", "VMs", "warm", "runtime", "takes"], rows
        )
        latest = [[job["id"], job["kind"], job["state"]] for job in jobs]
        print_table("Latest jobs", ["id", "kind", "state"], latest)
    if health["status"] == "away":
        raise typer.Exit(1)


def _state(part: object) -> str:
    return str(part.get("status", "")) if isinstance(part, dict) else ""
