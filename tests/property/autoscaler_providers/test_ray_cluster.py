"""Whatever happens to a RayCluster, orders and pods stay one to one: against a model of KubeRay."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quetzalcore.autoscaler.provider import NoCapacity
from quetzalcore.autoscaler.ray_cluster import (
    Entry,
    Pod,
    RayCluster,
    matched,
    read_cluster,
    with_order,
    without,
)

START = dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC)
MOST = 4


class Story(RuleBasedStateMachine):
    """Orders come and go, KubeRay follows when it likes, and pods die."""

    def __init__(self) -> None:
        super().__init__()
        group = {"groupName": "g", "maxReplicas": MOST}
        self.cluster: RayCluster = read_cluster(
            {"metadata": {"resourceVersion": "1"}, "spec": {"workerGroupSpecs": [group]}}
        )
        self.pods: list[Pod] = []
        self.number = 0
        self.wanted = 0

    def _next(self) -> int:
        self.number += 1
        return self.number

    @rule()
    def order(self) -> None:
        entry = Entry(name=f"o{self._next()}", group="g", at=START)
        try:
            self.cluster = with_order(self.cluster, self.pods, entry, epoch=1)
        except NoCapacity:
            assert self.wanted == MOST
        else:
            self.wanted += 1
            assert entry.name in {one.name for one in matched(self.cluster, self.pods)}

    @precondition(lambda self: self.wanted)
    @rule(data=st.data())
    def terminate(self, data) -> None:
        entries = [
            one for one in matched(self.cluster, self.pods) if one.pod not in self._leaving()
        ]
        gone = data.draw(st.sampled_from(entries))
        self.cluster = without(self.cluster, self.pods, gone, epoch=1)
        again = without(self.cluster, self.pods, gone, epoch=1) if gone.pod else self.cluster
        assert again == self.cluster
        self.wanted -= 1

    @rule()
    def kuberay_follows(self) -> None:
        self.pods = [pod for pod in self.pods if pod.name not in self._leaving()]
        while len(self.pods) < self.cluster.group("g").replicas:
            number = self._next()
            self.pods.append(
                Pod(
                    name=f"p{number}",
                    group="g",
                    created_at=START + dt.timedelta(seconds=number),
                    phase="Running",
                )
            )

    @precondition(lambda self: self.pods)
    @rule(data=st.data())
    def a_pod_dies(self, data) -> None:
        self.pods.remove(data.draw(st.sampled_from(self.pods)))

    @rule()
    def it_is_read_again(self) -> None:
        self.cluster = replace(self.cluster, version=str(self._next()))

    def _leaving(self) -> frozenset[str]:
        return self.cluster.group("g").leaving

    @invariant()
    def as_many_stay_as_are_wanted(self) -> None:
        entries = matched(self.cluster, self.pods)
        staying = [one for one in entries if one.pod not in self._leaving()]
        assert len(staying) == self.cluster.group("g").replicas == self.wanted
        assert len({one.name for one in entries}) == len(entries)
        pods = [one.pod for one in entries if one.pod]
        assert len(set(pods)) == len(pods)
        assert set(pods) == {pod.name for pod in self.pods}


Story.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestStory = Story.TestCase
