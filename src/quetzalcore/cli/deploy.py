"""``quetzal deploy``: roles on other hosts, over SSH, one host after the other."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from quetzalcore.cli.console import note, print_json, say, warn
from quetzalcore.cli.deploy_inputs import (
    HostSettings,
    given_package,
    host_names,
    host_settings,
    layout_below,
    read_units,
)
from quetzalcore.errors import BadParameter
from quetzalcore.ops.deploy.model import HostPlan, Role, Wish
from quetzalcore.ops.deploy.running import Deployment, Outcome, verdict
from quetzalcore.ops.deploy.services import GatewayShape, gateway_services, worker_services
from quetzalcore.ssh import SshAccess, hang_up

__all__ = ["deploy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _How:
    """How it is gone about, whatever is deployed."""

    at_once: int
    dry_run: bool
    as_json: bool


def deploy(
    role: Annotated[Role, typer.Argument(help="gateway or workers.")],
    *,
    hosts: Annotated[str, typer.Option(metavar="A,B,C", help="The hosts, as SSH knows them.")],
    config: Annotated[
        Path | None,
        typer.Option(help="Settings for the hosts, NAME=VALUE a line; default: what they have."),
    ] = None,
    wheel: Annotated[
        Path | None, typer.Option(help="What to install; default: built from this checkout.")
    ] = None,
    instances: Annotated[int, typer.Option(min=1, help="Gateway instances a host.")] = 2,
    first_port: Annotated[int, typer.Option(help="Port of the first instance.")] = 8001,
    bind: Annotated[str, typer.Option(help="Address that instances listen on.")] = "127.0.0.1",
    listen: Annotated[
        str, typer.Option(metavar="ADDRESS:PORT", help="Where nginx listens before instances.")
    ] = "0.0.0.0:80",
    no_balancer: Annotated[bool, typer.Option("--no-balancer", help="No nginx.")] = False,
    with_master: Annotated[
        bool, typer.Option("--master", help="A master on gateway hosts as well.")
    ] = False,
    user: Annotated[
        str, typer.Option(help="Who logs in: root, or who may sudo without a password.")
    ] = "",
    identity: Annotated[Path | None, typer.Option(help="Private key to log in with.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of SSH.")] = None,
    known_hosts: Annotated[
        Path | None, typer.Option(help="Known-hosts file; default: your own.")
    ] = None,
    prefix: Annotated[
        str, typer.Option(help="Folder of the hosts to keep all in, without root and systemd.")
    ] = "",
    python: Annotated[str, typer.Option(help="Python of the hosts.")] = "python3",
    packages: Annotated[
        str, typer.Option(help="Folder of the hosts with Python packages; none are installed.")
    ] = "",
    wheelhouse: Annotated[
        str, typer.Option(help="Folder of the hosts with wheels; no index is asked.")
    ] = "",
    constraints: Annotated[
        Path | None, typer.Option(help="Versions of requirements; default: this checkout's.")
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, help="Hosts changed at the same time.")] = 1,
    keep: Annotated[int, typer.Option(min=1, help="Releases kept on a host.")] = 3,
    ready_within: Annotated[
        float, typer.Option(help="Seconds in which a service has to be ready.")
    ] = 90.0,
    settle: Annotated[
        float, typer.Option(help="Seconds that a worker has to live to count as well.")
    ] = 10.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Install and start gateways or workers on hosts; run it again to upgrade or change them.

    Example: quetzal deploy gateway --hosts web1,web2 --config quetzal.env --instances 2
    """
    names, layout, settings = host_names(hosts), layout_below(prefix), host_settings(config)
    _advise(role, names, settings)
    shape = GatewayShape(
        ports=range(first_port, first_port + instances),
        bind=bind,
        listen="" if no_balancer else listen,
        master=with_master,
    )
    units = read_units()
    package = given_package(wheel, constraints)
    wish = Wish(
        role=role,
        package=replace(package, python=python, packages=packages, wheelhouse=wheelhouse),
        services=gateway_services(units, layout, shape)
        if role == "gateway"
        else worker_services(units, layout, settle_s=settle),
        layout=layout,
        environment=None if settings is None else settings.values,
        keep=keep,
        ready_s=ready_within,
    )
    access = SshAccess(user=user, port=port, identity_file=identity, known_hosts_file=known_hosts)
    asyncio.run(
        _deploy(names, wish, access, _How(at_once=at_once, dry_run=dry_run, as_json=as_json))
    )


def _advise(role: Role, hosts: Sequence[str], settings: HostSettings | None) -> None:
    """Hold settings that cannot work against what is asked for.

    Raises
    ------
    BadParameter
        If workers are not told what to join.
    """
    if settings is None:
        return
    if role == "workers" and not settings.joins:
        raise BadParameter(
            "workers need a gateway and a key to join with",
            hint="set HIVE_ORCHESTRATOR_URL and QUETZAL_JOIN_KEY in the file of --config",
        )
    if role == "gateway" and len(hosts) > 1 and not settings.shares:
        warn("without QUETZAL_DATABASE_URL each host has a ledger, users and jobs of its own")


async def _deploy(hosts: Sequence[str], wish: Wish, access: SshAccess, how: _How) -> None:
    async with _one_connection_a_host(hosts, access) as shared:
        deployment = Deployment(wish, shared, tell=lambda host, what: note(f"{host}: {what}"))
        if how.dry_run:
            _show_plans(await deployment.plans(hosts), as_json=how.as_json)
            return
        outcomes = await deployment.run(hosts, at_once=how.at_once)
    _show_outcomes(outcomes, as_json=how.as_json)
    verdict(outcomes)


@asynccontextmanager
async def _one_connection_a_host(
    hosts: Sequence[str], access: SshAccess
) -> AsyncIterator[SshAccess]:
    """Let all commands to a host share one connection."""
    folder = Path(tempfile.mkdtemp(prefix="qz-ssh-"))
    shared = replace(access, control_folder=folder)
    try:
        yield shared
    finally:
        await hang_up(hosts, access=shared)
        shutil.rmtree(folder, ignore_errors=True)


def _show_plans(plans: Sequence[HostPlan], *, as_json: bool) -> None:
    if as_json:
        print_json({"hosts": [{"host": p.host, "steps": [s.what for s in p.steps]} for p in plans]})
        return
    for plan in plans:
        if not plan.steps:
            say(f"{plan.host}: nothing to do")
        for step in plan.steps:
            say(f"{plan.host}: would {step.what}")


def _show_outcomes(outcomes: Sequence[Outcome], *, as_json: bool) -> None:
    if as_json:
        print_json({"hosts": [asdict(one) for one in outcomes]})
        return
    for one in outcomes:
        why = f": {one.reason}" if one.reason else ""
        state = "nothing to do" if one.state == "unchanged" else one.state
        say(f"{one.host}: {state}{why}")
