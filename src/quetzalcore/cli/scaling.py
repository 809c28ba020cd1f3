"""What scales under a master of this host: workers by the provider of the settings, instances by the supervisor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import structlog

from quetzalcore.autoscaler.foresight import Foresight
from quetzalcore.autoscaler.instances import InstanceSet
from quetzalcore.autoscaler.loop import LoopConfig, ScalingLoop
from quetzalcore.autoscaler.model import Target
from quetzalcore.autoscaler.policies import from_settings
from quetzalcore.autoscaler.provider import Provider
from quetzalcore.autoscaler.providers.local import LocalProvider
from quetzalcore.autoscaler.providers.supervised import SupervisedProvider
from quetzalcore.autoscaler.scaled_set import ScaledSet
from quetzalcore.autoscaler.worker_start import WorkerAccess
from quetzalcore.autoscaler.workers import WorkerSet
from quetzalcore.cli.clock import now
from quetzalcore.cli.composition import Platform
from quetzalcore.cli.engines import local_sizes
from quetzalcore.cluster.addresses import own_addresses
from quetzalcore.cluster.engine import Engine
from quetzalcore.cluster.engines.local import LocalEngine
from quetzalcore.cluster.master import Companion, Workplace
from quetzalcore.errors import BadParameter
from quetzalcore.ops.supervisor.control import SOCKET
from quetzalcore.ops.supervisor.control_client import NoSupervisor, SupervisorClient
from quetzalcore.settings import Settings

if TYPE_CHECKING:
    from quetzalcore.autoscaler.provider_settings import ProviderSettings

__all__ = ["companions", "open_provider"]

_INSTANCE_READY_S = 60.0
_ASKED_AGAIN_S = 5.0
_SETTLE_S = 15.0  # until a new leader's Ray client has found the nodes that are there
_ASKED = 3

log = structlog.get_logger("quetzalcore.scaling")


def companions(platform: Platform, engine: Engine) -> tuple[Companion, ...]:
    """Give what scales beside a leading master.

    Raises
    ------
    BadParameter
        If the policy's settings contradict each other, or the provider does not fit the engine.
    """
    settings = platform.settings
    found = []
    _check(settings, engine)
    if settings.provider != "none" and _has_nodes_of(settings, engine):
        found.append(_workers(platform, engine))
    if (platform.files.run / SOCKET).exists():
        found.append(_instances(platform))
    return tuple(found)


@asynccontextmanager
async def open_provider(platform: Platform, engine: Engine) -> AsyncIterator[Provider]:
    """Open where new workers come from."""
    settings = platform.settings
    if isinstance(engine, LocalEngine):
        sizes = local_sizes(settings)
        provider: Provider = LocalProvider(
            engine, platform.files.run / "workers", slot=sizes.slot, host=sizes.host, now=now
        )
    else:
        provider = _far_provider(settings)
    try:
        yield provider
    finally:
        await provider.close()


def _far_provider(settings: Settings) -> Provider:
    """Make the provider of machines that join over the network."""
    from quetzalcore.autoscaler import provider_settings as known  # noqa: PLC0415 -- TOML models, only here

    given = known.read_provider_file(settings.provider, settings.provider_file)
    access = _access(settings)
    if isinstance(given, known.DockerSettings):
        from quetzalcore.autoscaler.providers.docker import DockerProvider  # noqa: PLC0415 -- httpx

        return DockerProvider(given, access, now=now)
    if isinstance(given, known.KubernetesSettings):
        from quetzalcore.autoscaler.providers.kubernetes import (  # noqa: PLC0415 -- httpx
            KubernetesProvider,
        )

        return KubernetesProvider(given, now=now)
    if isinstance(given, known.HostsSettings):
        from quetzalcore.autoscaler.providers.hosts import HostsProvider  # noqa: PLC0415 -- as above

        hosts = given.hosts or settings.worker_nodes
        return HostsProvider(given.model_copy(update={"hosts": hosts}), access, now=now)
    return _cloud_provider(given, access)


def _cloud_provider(given: ProviderSettings, access: WorkerAccess) -> Provider:
    """Make the provider of a cloud's machines; Libcloud takes a second to load."""
    from quetzalcore.autoscaler import provider_settings as known  # noqa: PLC0415 -- as above
    from quetzalcore.autoscaler.clouds.azure import open_azure  # noqa: PLC0415 -- Libcloud
    from quetzalcore.autoscaler.clouds.ec2 import open_ec2  # noqa: PLC0415 -- Libcloud
    from quetzalcore.autoscaler.clouds.gce import open_gce  # noqa: PLC0415 -- Libcloud
    from quetzalcore.autoscaler.providers.cloud import CloudProvider  # noqa: PLC0415 -- Libcloud

    if isinstance(given, known.AwsSettings):
        return CloudProvider(given, access, open_cloud=partial(open_ec2, given), now=now)
    if isinstance(given, known.GcpSettings):
        return CloudProvider(given, access, open_cloud=partial(open_gce, given), now=now)
    if isinstance(given, known.AzureSettings):
        return CloudProvider(given, access, open_cloud=partial(open_azure, given), now=now)
    raise BadParameter("there is no such provider", hint="see the setting provider")


def _access(settings: Settings) -> WorkerAccess:
    """Say how workers reach the gateway."""
    if not settings.join_key.get_secret_value() and settings.provider != "kubernetes":
        raise BadParameter(
            f"workers of the provider {settings.provider} need a key to join with",
            hint="make one with quetzal key create --join and set QUETZAL_JOIN_KEY",
        )
    host = settings.server_ip or own_addresses()[0]
    url = settings.public_url or f"http://{host}:{settings.port}"
    return WorkerAccess(join_url=url, join_key=settings.join_key.get_secret_value())


def _check(settings: Settings, engine: Engine) -> None:
    for target in Target:
        from_settings(settings, target)
    local = isinstance(engine, LocalEngine)
    if local and settings.provider not in {"local", "none"}:
        raise BadParameter(
            f"the engine local has this host's workers only, and the provider is {settings.provider}",
            hint="set QUETZAL_ENGINE=ray, or QUETZAL_PROVIDER=local",
        )


def _has_nodes_of(settings: Settings, engine: Engine) -> bool:
    """Say whether the provider's machines could join: those of this host cannot join a Ray cluster."""
    return isinstance(engine, LocalEngine) or settings.provider != "local"


def _workers(platform: Platform, engine: Engine) -> Companion:
    settings = platform.settings

    async def work(epoch: int, workplace: Workplace) -> None:
        async with open_provider(platform, engine) as provider:
            scaled = WorkerSet(
                provider,
                workplace,
                platform.ledger,
                platform.nodes,
                ready_s=settings.scaling_ready_s,
                foresight=Foresight(up_cooldown_s=settings.scaling_scale_up_cooldown)
                if settings.scaling_forecast
                else None,
            )
            await _loop(platform, scaled, epoch).run()

    return work


def _instances(platform: Platform) -> Companion:
    client = SupervisorClient(platform.files.run)

    async def work(epoch: int, _workplace: Workplace) -> None:
        if not await _answers(client):
            log.info("scaling.no_supervisor")
            return
        provider = SupervisedProvider(client)
        scaled = InstanceSet(provider, platform.instances, ready_s=_INSTANCE_READY_S)
        await _loop(platform, scaled, epoch).run()

    return work


async def _answers(client: SupervisorClient) -> bool:
    """Say whether somebody keeps instances here; a socket may be left of somebody who did."""
    for _ in range(_ASKED):
        try:
            await client.list()
        except NoSupervisor:
            await asyncio.sleep(_ASKED_AGAIN_S)
        else:
            return True
    return False


def _loop(platform: Platform, scaled: ScaledSet, epoch: int) -> ScalingLoop:
    settings = platform.settings
    return ScalingLoop(
        scaled,
        platform.scaling,
        LoopConfig(
            policy=from_settings(settings, scaled.target),
            automatic=settings.auto_scale,
            every_s=settings.scaling_every_s,
            drain_s=settings.drain_s,
            settle_s=_SETTLE_S if settings.engine == "ray" else 0.0,
        ),
        clock=now,
        epoch=epoch,
    )
