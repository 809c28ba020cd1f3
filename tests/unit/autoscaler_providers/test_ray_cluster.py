"""Which pod is whose, and what is changed in a RayCluster."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import pytest

from quetzalcore.autoscaler.provider import NoCapacity, ProviderRefused
from quetzalcore.autoscaler.ray_cluster import (
    ANNOTATION,
    Entry,
    Pod,
    RayCluster,
    matched,
    patch_of,
    read_cluster,
    read_pod,
    with_order,
    without,
)

START = dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC)


def _pod(name: str, minute: int = 0, *, group: str = "g") -> Pod:
    at = START + dt.timedelta(minutes=minute)
    return Pod(name=name, group=group, created_at=at, phase="Running")


def _entry(name: str, pod: str = "", *, group: str = "g") -> Entry:
    return Entry(name=name, group=group, at=START, pod=pod)


def _cluster(*entries: Entry, replicas: int, leaving: tuple[str, ...] = ()) -> RayCluster:
    document = {
        "metadata": {"resourceVersion": "7"},
        "spec": {
            "workerGroupSpecs": [
                {"groupName": "other", "replicas": 3},
                {
                    "groupName": "g",
                    "replicas": replicas,
                    "maxReplicas": 4,
                    "scaleStrategy": {"workersToDelete": list(leaving)},
                },
            ]
        },
    }
    return replace(read_cluster(document), entries=entries)


def _names(cluster: RayCluster, *pods: Pod) -> list[tuple[str, str]]:
    return [(one.name, one.pod) for one in matched(cluster, pods) if one.group == "g"]


def test_pods_go_to_orders_in_turn() -> None:
    cluster = _cluster(_entry("a"), _entry("b"), replicas=2)
    assert _names(cluster, _pod("p2", 2), _pod("p1", 1)) == [("a", "p1"), ("b", "p2")]


def test_an_order_waits_for_the_pod_that_is_still_owed() -> None:
    cluster = _cluster(_entry("a", "p1"), _entry("b"), replicas=2)
    assert _names(cluster, _pod("p1")) == [("a", "p1"), ("b", "")]


def test_a_pod_that_kuberay_replaced_keeps_its_order() -> None:
    cluster = _cluster(_entry("a", "dead"), replicas=1)
    assert _names(cluster, _pod("new", 5)) == [("a", "new")]


def test_a_pod_that_nobody_ordered_is_known_by_its_own_name() -> None:
    assert _names(_cluster(replicas=1), _pod("p1")) == [("p1", "p1")]


def test_an_order_whose_pod_was_removed_on_purpose_takes_no_other() -> None:
    cluster = _cluster(_entry("a", "gone"), _entry("b"), replicas=1, leaving=("gone",))
    assert _names(cluster, _pod("new", 5)) == [("b", "new")]


def test_orders_beyond_what_is_owed_are_forgotten() -> None:
    cluster = _cluster(_entry("a"), _entry("b"), replicas=1)
    assert _names(cluster) == [("b", "")]


def test_pods_of_other_groups_are_not_taken() -> None:
    cluster = _cluster(_entry("a"), replicas=1)
    assert _names(cluster, _pod("p", group="other")) == [("a", "")]


def test_one_more_raises_replicas_and_names_who_was_there_before() -> None:
    after = with_order(_cluster(replicas=1), [_pod("old")], _entry("a"), epoch=5)
    assert after.group("g").replicas == 2
    assert [(one.name, one.pod) for one in after.entries] == [("old", "old"), ("a", "")]
    assert after.epoch == 5


def test_the_groups_most_is_no_capacity() -> None:
    with pytest.raises(NoCapacity, match="4 of at most 4"):
        with_order(_cluster(replicas=4), [], _entry("a"), epoch=5)


def test_one_less_names_the_pod_and_forgets_names_that_are_gone() -> None:
    cluster = _cluster(_entry("a", "p1"), replicas=2, leaving=("gone",))
    after = without(cluster, [_pod("p1"), _pod("p2")], _entry("a", "p1"), epoch=5)
    assert after.group("g").replicas == 1
    assert after.group("g").leaving == {"p1"}
    assert without(after, [_pod("p1"), _pod("p2")], _entry("a", "p1"), epoch=5) == after


def test_a_name_stays_while_its_pod_is_ending() -> None:
    cluster = _cluster(_entry("a", "p1"), replicas=1, leaving=("ending",))
    after = with_order(cluster, [_pod("ending"), _pod("p1")], _entry("b"), epoch=5)
    assert after.group("g").leaving == {"ending"}


def test_an_order_without_a_pod_only_lowers_replicas() -> None:
    cluster = _cluster(_entry("a"), replicas=1)
    after = without(cluster, [], _entry("a"), epoch=5)
    assert (after.group("g").replicas, after.group("g").leaving) == (0, frozenset())
    assert after.entries == ()


def test_a_patch_names_the_version_and_the_group_it_means() -> None:
    before = _cluster(replicas=1)
    patch = patch_of(before, with_order(before, [], _entry("a"), epoch=5))
    kept = {"epoch": 5, "workers": [["a", "g", START.isoformat(), ""]]}
    text = json.dumps(kept, separators=(",", ":"))
    group = "/spec/workerGroupSpecs/1"
    assert patch == [
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "add", "path": "/metadata/annotations", "value": {ANNOTATION: text}},
        {"op": "test", "path": f"{group}/groupName", "value": "g"},
        {"op": "add", "path": f"{group}/replicas", "value": 2},
        {"op": "add", "path": f"{group}/scaleStrategy", "value": {"workersToDelete": []}},
    ]
    annotated = replace(before, annotated=True)
    place = patch_of(annotated, annotated)[1]["path"]
    assert place == "/metadata/annotations/quetzalcore.org~1workers"


def test_what_was_written_is_read_again() -> None:
    kept = {"epoch": 5, "workers": [["a", "g", START.isoformat(), "p1"]]}
    document = {
        "metadata": {"resourceVersion": "8", "annotations": {ANNOTATION: json.dumps(kept)}},
        "spec": {"workerGroupSpecs": [{"groupName": "g", "minReplicas": 2, "replicas": None}]},
    }
    cluster = read_cluster(document)
    assert cluster.entries == (_entry("a", "p1"),)
    assert (cluster.epoch, cluster.annotated) == (5, True)
    assert cluster.group("g").replicas == 2


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"enableInTreeAutoscaling": True}, "Ray's own autoscaler"),
        ({"workerGroupSpecs": [{"groupName": "g", "numOfHosts": 2}]}, "2 pods a replica"),
    ],
)
def test_a_ray_cluster_that_we_cannot_scale_is_refused(spec, said) -> None:
    with pytest.raises(ProviderRefused, match=said):
        read_cluster({"metadata": {"resourceVersion": "1"}, "spec": spec})


@pytest.mark.parametrize("text", ["{", "[]", '{"workers": [1]}', '{"epoch": "x"}'])
def test_an_annotation_that_was_spoilt_is_told_of(text) -> None:
    about = {"resourceVersion": "1", "annotations": {ANNOTATION: text}}
    with pytest.raises(ProviderRefused, match="cannot be read: somebody changed it"):
        read_cluster({"metadata": about, "spec": {}})


def test_a_group_that_is_not_there_is_refused() -> None:
    with pytest.raises(ProviderRefused, match="no worker group 'x'"):
        _cluster(replicas=0).group("x")


def test_a_pod_that_ends_is_seen_to() -> None:
    about = {
        "name": "p",
        "labels": {"ray.io/group": "g"},
        "creationTimestamp": "2026-03-02T08:00:00Z",
        "deletionTimestamp": "2026-03-02T09:00:00Z",
    }
    assert read_pod({"metadata": about}) == Pod(
        name="p", group="g", created_at=START, phase="Pending", stopping=True
    )
