"""Containers of a real engine: what the contract does not say."""

from __future__ import annotations

import pytest
from tests.integration.autoscaler_providers.grounds.ground import now

from quetzalcore.autoscaler.provider import LaunchFailed, MachineState
from quetzalcore.autoscaler.providers.docker import DockerProvider
from quetzalcore.autoscaler.worker_start import WorkerAccess

pytestmark = pytest.mark.docker

ACCESS = WorkerAccess(join_url="http://127.0.0.1:8000", join_key="qz_test")


def test_a_container_has_its_limits_and_walls(docker_ground) -> None:
    async def story() -> None:
        provider = docker_ground.provider()
        made = await provider.launch(await docker_ground.order(provider))
        found = docker_ground.inspect(made.id)
        host = found["HostConfig"]
        assert (host["NanoCpus"], host["Memory"]) == (250_000_000, 256 << 20)
        assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"])
        assert f"QUETZAL_NODE_ID={made.id}" in found["Config"]["Env"]
        assert found["State"]["Running"]

    docker_ground.play(story)


def test_a_key_in_a_file_is_mounted_and_no_variable(docker_ground, tmp_path) -> None:
    key = tmp_path / "key"
    key.write_text("qz_secret")

    async def story() -> None:
        settings = docker_ground.settings(join_key_file=key)
        provider = docker_ground.keep(DockerProvider(settings, ACCESS, now=now))
        made = await provider.launch(await docker_ground.order(provider))
        found = docker_ground.inspect(made.id)
        assert not [line for line in found["Config"]["Env"] if line.startswith("QUETZAL_JOIN_KEY=")]
        (mount,) = found["Mounts"]
        assert (mount["Source"], mount["RW"]) == (str(key), False)

    docker_ground.play(story)


def test_what_a_dead_leader_only_created_is_started(docker_ground) -> None:
    async def story() -> None:
        provider = docker_ground.provider()
        order = await docker_ground.order(provider)
        made = await provider.launch(order)
        docker_ground.stop(made.id)
        (stopped,) = await provider.list()
        assert stopped.state is MachineState.PENDING
        await docker_ground.provider().launch(order)
        assert docker_ground.inspect(made.id)["State"]["Running"]

    docker_ground.play(story)


def test_an_image_that_is_not_there_is_told(docker_ground) -> None:
    async def story() -> None:
        settings = docker_ground.settings(image="quetzal-nowhere:1")
        provider = docker_ground.keep(DockerProvider(settings, ACCESS, now=now))
        with pytest.raises(LaunchFailed, match="quetzal-nowhere"):
            await provider.launch(await docker_ground.order(provider))

    docker_ground.play(story)


def test_a_name_that_somebody_else_has_is_refused_and_left_alone(docker_ground) -> None:
    async def story() -> None:
        foreign = await docker_ground.add_foreign()
        provider = docker_ground.provider()
        with pytest.raises(LaunchFailed, match="already in use"):
            await provider.launch(await docker_ground.order(provider, name=foreign))
        assert foreign in await docker_ground.foreign()

    docker_ground.play(story)
