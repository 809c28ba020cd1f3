"""Replicas of a RayCluster: what the contract does not say."""

from __future__ import annotations

import asyncio

import pytest
from tests.integration.autoscaler_providers.grounds.kubernetes import (
    CLUSTER,
    ray_cluster,
    worker_group,
)

from quetzalcore.autoscaler.provider import (
    LaunchFailed,
    MachineState,
    ProviderRefused,
    ProviderUnreachable,
)
from quetzalcore.autoscaler.providers import kubernetes
from quetzalcore.errors import BadParameter


def test_somebody_else_who_changes_the_ray_cluster_only_delays_us(kubernetes_ground) -> None:
    async def story() -> None:
        provider = kubernetes_ground.provider()
        kubernetes_ground.kubernetes.meddling = 3
        await provider.launch(await kubernetes_ground.order(provider))
        assert len(kubernetes_ground.kubernetes.patches) == 4
        assert len(await kubernetes_ground.settled(provider, 1)) == 1

    kubernetes_ground.play(story)


def test_somebody_who_never_stops_changing_it_is_told_of(kubernetes_ground, monkeypatch) -> None:
    monkeypatch.setattr(kubernetes, "_TRIES", 3)

    async def story() -> None:
        provider = kubernetes_ground.provider()
        order = await kubernetes_ground.order(provider)
        kubernetes_ground.kubernetes.meddling = 1000
        with pytest.raises(ProviderUnreachable, match="others change the RayCluster"):
            await provider.launch(order)
        assert await kubernetes_ground.traces() == set()

    kubernetes_ground.play(story)


def test_the_pod_that_is_named_goes_and_no_other(kubernetes_ground) -> None:
    async def story() -> None:
        provider = kubernetes_ground.provider()
        for _ in range(3):
            await provider.launch(await kubernetes_ground.order(provider))
        _, middle, _ = before = await kubernetes_ground.settled(provider, 3)
        await provider.terminate(middle.id, epoch=5)
        after = await kubernetes_ground.settled(provider, 2)
        assert {one.id for one in after} == {one.id for one in before} - {middle.id}
        await provider.launch(await kubernetes_ground.order(provider))
        again = await kubernetes_ground.settled(provider, 3)
        assert {one.id for one in after} < {one.id for one in again}

    kubernetes_ground.play(story)


def test_a_pod_that_is_not_made_yet_is_listed_under_its_order(kubernetes_ground) -> None:
    async def story() -> None:
        provider = kubernetes_ground.provider()
        kubernetes_ground.kubernetes.stalled = True
        order = await kubernetes_ground.order(provider)
        made = await provider.launch(order)
        assert (made.id, made.state, made.provider_id) == (order.name, MachineState.PENDING, "")
        assert await provider.list() == (made,)
        kubernetes_ground.kubernetes.stalled = False
        (settled,) = await kubernetes_ground.settled(provider, 1)
        assert settled.id != order.name
        assert settled.launched_at == made.launched_at

    kubernetes_ground.play(story)


def test_a_pod_that_never_comes_is_given_up(kubernetes_ground, monkeypatch) -> None:
    monkeypatch.setattr(kubernetes, "_POD_S", 0.1)
    monkeypatch.setattr(kubernetes, "_POLL_S", 0.02)

    async def story() -> None:
        provider = kubernetes_ground.provider()
        kubernetes_ground.kubernetes.stalled = True
        made = await provider.launch(await kubernetes_ground.order(provider))
        await provider.terminate(made.id, epoch=5)
        assert await provider.list() == ()
        assert await kubernetes_ground.traces() == set()

    kubernetes_ground.play(story)


def test_a_leader_that_is_over_is_refused_by_the_annotation_alone(kubernetes_ground) -> None:
    async def story() -> None:
        new = kubernetes_ground.provider()
        await new.launch(await kubernetes_ground.order(new, epoch=8))
        (machine,) = await kubernetes_ground.settled(new, 1)
        await new.terminate(machine.id, epoch=8)
        await kubernetes_ground.settled(new, 0)
        old = kubernetes_ground.provider()
        with pytest.raises(Exception, match="epoch 8 leads"):
            await old.launch(await kubernetes_ground.order(old, epoch=7))

    kubernetes_ground.play(story)


def test_a_wrong_token_or_name_is_refused_in_a_sentence(kubernetes_ground, tmp_path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("guess")

    async def story() -> None:
        for changed, said in (
            ({"token_file": wrong}, "Unauthorized"),
            ({"token_file": tmp_path / "none"}, "token cannot be read"),
            ({"ray_cluster": "another"}, 'rayclusters.ray.io "another" not found'),
        ):
            provider = kubernetes_ground.keep(kubernetes_ground.build(**changed))
            with pytest.raises(ProviderRefused, match=said):
                await provider.list()

    kubernetes_ground.play(story)


@pytest.mark.parametrize("missing", ["namespace", "ca"])
def test_outside_of_a_pod_everything_must_be_said(kubernetes_ground, tmp_path, missing) -> None:
    changed = {
        "namespace": {"namespace": "", "namespace_file": tmp_path / "none"},
        "ca": {"url": "https://127.0.0.1:1", "ca_file": tmp_path / "none"},
    }
    with pytest.raises(BadParameter, match="run in a pod, or set url"):
        kubernetes_ground.build(**changed[missing])


def test_a_ray_cluster_that_another_scales_is_left_alone(kubernetes_ground) -> None:
    document = ray_cluster(worker_group("small"), worker_group("large"))
    document["spec"]["enableInTreeAutoscaling"] = True

    async def story() -> None:
        provider = kubernetes_ground.provider()
        order = await kubernetes_ground.order(provider)
        kubernetes_ground.kubernetes.put(document)
        with pytest.raises(LaunchFailed, match="Ray's own autoscaler"):
            await provider.launch(order)
        assert kubernetes_ground.kubernetes.patches == []

    kubernetes_ground.play(story)


def test_one_who_meant_several_changes_at_once_makes_each(kubernetes_ground) -> None:
    """Two adapters without a common lock, as two masters in a change of leaders."""

    async def story() -> None:
        providers = [kubernetes_ground.provider() for _ in range(2)]
        orders = [await kubernetes_ground.order(providers[0]) for _ in range(4)]
        await asyncio.gather(
            *(providers[number % 2].launch(order) for number, order in enumerate(orders))
        )
        assert len(await kubernetes_ground.settled(providers[0], 4)) == 4
        group = kubernetes_ground.kubernetes.cluster(CLUSTER)["spec"]["workerGroupSpecs"][1]
        assert group["replicas"] == 4

    kubernetes_ground.play(story)
