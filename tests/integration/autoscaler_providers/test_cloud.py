"""EC2 as moto has it: what the contract does not say."""

from __future__ import annotations

import base64

import pytest

from quetzalcore.autoscaler.provider import LaunchFailed, ProviderUnreachable


def test_an_instance_whose_making_nobody_heard_of_is_not_made_again(cloud_ground) -> None:
    async def story() -> None:
        provider = cloud_ground.provider()
        order = await cloud_ground.order(provider)
        cloud_ground.server.losing.add("RunInstances")
        with pytest.raises(ProviderUnreachable):
            await provider.launch(order)
        made = await provider.launch(order)
        assert await cloud_ground.traces() == {made.provider_id}

    cloud_ground.play(story)


def test_tags_and_the_start_script_travel_in_the_one_request(cloud_ground) -> None:
    async def story() -> None:
        provider = cloud_ground.provider()
        await provider.launch(await cloud_ground.order(provider))
        (asked,) = [one for one in cloud_ground.server.asked if one["Action"] == "RunInstances"]
        assert "quetzalcore-cluster" in asked.values()
        script = base64.b64decode(asked["UserData"]).decode()
        assert "QUETZAL_JOIN_KEY=qz_test" in script
        assert script.rstrip().endswith("exec quetzal worker")
        assert "CreateTags" not in {one["Action"] for one in cloud_ground.server.asked}

    cloud_ground.play(story)


def test_passing_trouble_is_not_taken_for_a_refusal(cloud_ground) -> None:
    async def story() -> None:
        provider = cloud_ground.provider()
        order = await cloud_ground.order(provider)
        cloud_ground.server.refusals["RunInstances"] = "RequestLimitExceeded"
        with pytest.raises(ProviderUnreachable):
            await provider.launch(order)
        cloud_ground.server.refusals["RunInstances"] = "UnauthorizedOperation"
        with pytest.raises(LaunchFailed, match="UnauthorizedOperation"):
            await provider.launch(order)

    cloud_ground.play(story)


def test_an_instance_that_another_removed_meanwhile_is_no_error(cloud_ground) -> None:
    async def story() -> None:
        provider = cloud_ground.provider()
        made = await provider.launch(await cloud_ground.order(provider))
        cloud_ground.server.refusals["TerminateInstances"] = "InvalidInstanceID.NotFound"
        await provider.terminate(made.id, epoch=5)
        cloud_ground.server.refusals["TerminateInstances"] = "RequestLimitExceeded"
        with pytest.raises(ProviderUnreachable):
            await provider.terminate(made.id, epoch=5)

    cloud_ground.play(story)
