"""What an engine may answer that a real one is hard to bring to."""

from __future__ import annotations

import pytest
from tests.integration.autoscaler_providers.grounds.ground import START

from quetzalcore.autoscaler.containers import container_of
from quetzalcore.autoscaler.marks import Mark
from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.provider import LaunchFailed, MachineState, ProviderUnreachable
from quetzalcore.autoscaler.provider_settings import DockerSettings
from quetzalcore.autoscaler.worker_start import WorkerAccess

MARK = Mark(
    cluster="quetzal",
    order="w-1",
    epoch=3,
    launched_at=START,
    shape=Shape(name="small", cpus=1.5, memory_mib=1024),
)


def test_an_engine_in_trouble_may_be_asked_again(told_docker_ground) -> None:
    async def story() -> None:
        provider = told_docker_ground.provider()
        told_docker_ground.engine.trouble = True
        with pytest.raises(ProviderUnreachable, match="the disk is full"):
            await provider.list()

    told_docker_ground.play(story)


def test_a_name_that_somebody_else_has_is_refused(told_docker_ground) -> None:
    async def story() -> None:
        foreign = await told_docker_ground.add_foreign()
        provider = told_docker_ground.provider()
        with pytest.raises(LaunchFailed, match="already in use"):
            await provider.launch(await told_docker_ground.order(provider, name=foreign))

    told_docker_ground.play(story)


def test_another_leader_who_was_faster_with_the_same_order_is_believed(
    told_docker_ground, monkeypatch
) -> None:
    async def story() -> None:
        faster, provider = told_docker_ground.provider(), told_docker_ground.provider()
        order = await told_docker_ground.order(provider)
        look, looks = provider._machines, []

        async def look_too_early() -> object:
            looks.append(await look())
            if len(looks) == 1:
                await faster.launch(order)
            return looks[-1]

        monkeypatch.setattr(provider, "_machines", look_too_early)
        assert (await provider.launch(order)).id == order.name
        assert len(await told_docker_ground.traces()) == 1

    told_docker_ground.play(story)


def test_a_start_that_nobody_heard_of_leaves_nothing(told_docker_ground, monkeypatch) -> None:
    async def story() -> None:
        provider = told_docker_ground.provider()
        ask = provider._ask

        async def deaf(method, path, **given) -> object:  # noqa: ANN003 -- handed on
            if path.endswith("/start"):
                raise ProviderUnreachable("no answer", hint="wait")
            return await ask(method, path, **given)

        monkeypatch.setattr(provider, "_ask", deaf)
        with pytest.raises(ProviderUnreachable, match="no answer"):
            await provider.launch(await told_docker_ground.order(provider))
        assert await told_docker_ground.traces() == set()

    told_docker_ground.play(story)


def test_what_was_only_created_is_started(told_docker_ground) -> None:
    async def story() -> None:
        provider = told_docker_ground.provider()
        order = await told_docker_ground.order(provider)
        await provider.launch(order)
        (container,) = told_docker_ground.engine.containers.values()
        container["State"] = "created"
        assert (await provider.launch(order)).state is MachineState.RUNNING
        assert container["State"] == "running"

    told_docker_ground.play(story)


def test_a_container_is_asked_for_with_everything_that_is_set() -> None:
    settings = DockerSettings(
        user="10001:10001",
        environment={"QUETZAL_ENV": "production"},
        volumes={"/var/lib/quetzal": "worker-data"},
        devices=("/dev/fuse",),
        cap_add=("SYS_ADMIN",),
    )
    access = WorkerAccess(join_url="http://gateway:8000", join_key="qz_key")
    body = container_of(MARK, settings, access)
    host = body["HostConfig"]
    assert body["User"] == "10001:10001"
    assert set(body["Env"]) == {
        "QUETZAL_ENV=production",
        "QUETZAL_MASTER=http://gateway:8000",
        "QUETZAL_JOIN_KEY=qz_key",
        "QUETZAL_NODE_ID=w-1",
    }
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (
        1_500_000_000,
        1 << 30,
        1 << 30,
    )
    assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], ["SYS_ADMIN"])
    assert host["Mounts"] == [
        {"Type": "volume", "Source": "worker-data", "Target": "/var/lib/quetzal"}
    ]
    assert host["Devices"][0]["PathOnHost"] == "/dev/fuse"


def test_a_key_in_a_file_is_no_variable(tmp_path) -> None:
    settings = DockerSettings(join_key_file=tmp_path / "key")
    access = WorkerAccess(join_url="http://gateway:8000", join_key="qz_key")
    body = container_of(MARK, settings, access)
    assert "qz_key" not in str(body)
    assert "QUETZAL_JOIN_KEY_FILE=/run/secrets/join_key" in body["Env"]
