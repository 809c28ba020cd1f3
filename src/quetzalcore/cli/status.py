"""``quetzal status``: how the platform is doing, at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from quetzalcore.cli.connection import connect
from quetzalcore.cli.console import print_json, print_table, say
from quetzalcore.cli.host_files import HostFiles
from quetzalcore.cli.scale import show_scaling
from quetzalcore.cli.supervising import print_processes, supervised

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
        scaling = client.scaling_status()
        instances = client.system()["instances"]
        url = client.url
    kept = None if context.obj.url else supervised(HostFiles.of(context.obj))
    if as_json:
        print_json(
            {
                "url": url,
                "health": health,
                "instances": instances,
                "nodes": nodes,
                "scaling": scaling,
                "jobs": jobs,
                **({} if kept is None else {"processes": kept["processes"]}),
            }
        )
    else:
        say(f"{url}: {health['status']}, version {health['version']}")
        parts = [[name, _state(part)] for name, part in health["components"].items()]
        print_table("Parts", ["part", "is"], parts)
        if kept is not None:
            print_processes(kept)
        show_instances(instances)
        show_nodes(nodes)
        show_scaling(scaling)
        latest = [[job["id"], job["kind"], job["state"]] for job in jobs]
        print_table("Latest jobs", ["id", "kind", "state"], latest)
    if health["status"] == "away":
        raise typer.Exit(1)


def show_nodes(nodes: Sequence[Any]) -> None:
    """Print what is free on each worker."""
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
    columns = ["node", "free cores", "free MiB", "VMs", "warm", "runtime", "takes"]
    print_table("Nodes", columns, rows)


def show_instances(instances: Sequence[Any]) -> None:
    """Print how each gateway instance does; nothing where there is one process for all."""
    rows = [
        [
            one["id"],
            one["url"],
            f"{one['cpu_percent']:.0f}",
            f"{one['requests_per_s']:g}",
            f"{one['p95_ms']:g}",
            str(one["streams"]),
            "draining" if one["draining"] else "serving",
        ]
        for one in instances
    ]
    if rows:
        columns = ["instance", "at", "CPU %", "requests/s", "p95 ms", "streams", "is"]
        print_table("Gateway instances", columns, rows)


def _state(part: object) -> str:
    return str(part.get("status", "")) if isinstance(part, dict) else ""
