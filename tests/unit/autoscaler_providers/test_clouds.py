"""What clouds are asked. Compute Engine and Azure are Libcloud's drivers here only by name: nobody asked the real ones."""

# ruff: noqa: ANN401 -- Libcloud's drivers have no types
from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from libcloud.common.exceptions import BaseHTTPError
from libcloud.common.google import GoogleBaseError, ResourceExistsError, ResourceNotFoundError
from libcloud.common.types import InvalidCredsError

from quetzalcore.autoscaler.clouds.azure import Azure, machine_body
from quetzalcore.autoscaler.clouds.cloud import Instance, Wanted, failure_of, launch_failure_of
from quetzalcore.autoscaler.clouds.ec2 import launch_arguments as ec2_arguments
from quetzalcore.autoscaler.clouds.gce import Gce, launch_arguments
from quetzalcore.autoscaler.provider import (
    LaunchFailed,
    MachineState,
    NoCapacity,
    ProviderRefused,
    ProviderUnreachable,
)
from quetzalcore.autoscaler.provider_settings import AwsSettings, AzureSettings, GcpSettings

SHAPES = ({"name": "small", "cpus": 2, "memory_mib": 4096},)
WANTED = Wanted(name="w-1", size="big-one", script="#!/bin/sh\n", tags={"quetzalcore-order": "w-1"})
SPOT = Wanted(name="w-1", size="big-one", script="#!/bin/sh\n", tags={}, spot=True)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BaseHTTPError(400, "InsufficientInstanceCapacity: none left"), NoCapacity),
        (BaseHTTPError(400, "VcpuLimitExceeded: ask for more"), NoCapacity),
        (BaseHTTPError(409, "[SkuNotAvailable] not in this region"), NoCapacity),
        (BaseHTTPError(409, "[OperationNotAllowed] exceeding approved Total Cores"), NoCapacity),
        (GoogleBaseError("CPUS", 403, "QUOTA_EXCEEDED"), NoCapacity),
        (GoogleBaseError("full", 503, "ZONE_RESOURCE_POOL_EXHAUSTED"), NoCapacity),
        (BaseHTTPError(503, "RequestLimitExceeded: slow down"), ProviderUnreachable),
        (BaseHTTPError(500, "oops"), ProviderUnreachable),
        (requests.exceptions.ConnectTimeout("no way"), ProviderUnreachable),
        (ConnectionResetError(), ProviderUnreachable),
        (FileNotFoundError(2, "No such file", "/run/secrets/aws"), ProviderRefused),
        (BaseHTTPError(400, "InvalidAMIID.NotFound: no such image"), ProviderRefused),
        (InvalidCredsError("AuthFailure: who are you"), ProviderRefused),
        (GoogleBaseError("no", 403, "forbidden"), ProviderRefused),
    ],
)
def test_what_went_wrong_is_told_by_what_helps(error, kind) -> None:
    failure = failure_of(error)
    assert type(failure) is kind
    assert failure.hint
    assert isinstance(launch_failure_of(error), LaunchFailed if kind is ProviderRefused else kind)


def _aws(**changed: Any) -> AwsSettings:
    values = {
        "image": "ami-1",
        "region": "eu-west-1",
        "access_key_id": "id",
        "secret_file": "/s",
        "shapes": SHAPES,
    }
    return AwsSettings.model_validate({**values, **changed})


def test_ec2_is_asked_once_for_an_order() -> None:
    token = ec2_arguments(_aws(), WANTED)["ex_clienttoken"]
    assert token == ec2_arguments(_aws(region="eu-west-2"), WANTED)["ex_clienttoken"]
    assert token != ec2_arguments(_aws(cluster="another"), WANTED)["ex_clienttoken"]
    assert len(token) <= 64


def test_ec2_is_told_what_is_set_and_nothing_else() -> None:
    assert set(ec2_arguments(_aws(), WANTED)) == {
        *("name", "ex_clienttoken", "ex_userdata", "ex_metadata", "ex_spot"),
        "ex_terminate_on_shutdown",
    }
    full = _aws(key_name="k", instance_profile="p", subnet="s", security_groups=["sg-1"])
    arguments = ec2_arguments(full, SPOT)
    assert arguments["ex_keyname"] == "k"
    assert arguments["ex_iamprofile"] == "p"
    assert arguments["ex_security_group_ids"] == ["sg-1"]
    assert arguments["ex_spot"] is True


GCP = GcpSettings.model_validate(
    {
        "image": "projects/debian-cloud/global/images/family/debian-12",
        "project": "p",
        "zone": "europe-west1-b",
        "service_account": "a@p.example",
        "key_file": "/k",
        "shapes": SHAPES,
    }
)


class _GceDriver:
    """Knows the operations of Libcloud's driver that we use, and one instance."""

    def __init__(self) -> None:
        self.nodes: dict[str, Any] = {}
        self.destroyed: list[tuple[str, bool]] = []

    def create_node(self, *, name: str, ex_labels: dict[str, str], **_: Any) -> Any:
        if name in self.nodes:
            raise ResourceExistsError("there", 409, "alreadyExists")
        extra = {"labels": ex_labels, "status": "STAGING"}
        self.nodes[name] = SimpleNamespace(
            name=name, extra=extra, private_ips=["10.0.0.2"], public_ips=[]
        )
        return self.nodes[name]

    def ex_get_node(self, name: str, zone: str) -> Any:
        assert zone == GCP.zone
        if name not in self.nodes:
            raise ResourceNotFoundError("gone", 404, "notFound")
        return self.nodes[name]

    def list_nodes(self, *, ex_zone: str) -> list[Any]:
        assert ex_zone == GCP.zone
        return list(self.nodes.values())

    def destroy_node(self, node: Any, *, sync: bool) -> None:
        self.destroyed.append((node.name, sync))
        del self.nodes[node.name]


def test_compute_engines_disk_comes_and_goes_with_the_instance() -> None:
    arguments = launch_arguments(GCP, SPOT)
    (disk,) = arguments["ex_disks_gce_struct"]
    assert (disk["autoDelete"], disk["initializeParams"]["sourceImage"]) == (True, GCP.image)
    assert arguments["image"] is None
    assert arguments["ex_preemptible"] is True
    assert arguments["ex_metadata"]["items"] == [{"key": "startup-script", "value": WANTED.script}]


def test_compute_engine_makes_an_order_once_and_removes_it_twice() -> None:
    driver = _GceDriver()
    cloud = Gce(GCP, driver)
    made = cloud.create(WANTED)
    assert made == Instance(
        id="w-1", tags=WANTED.tags, state=MachineState.PENDING, address="10.0.0.2"
    )
    assert cloud.create(WANTED) == made
    assert list(cloud.instances()) == [made]
    cloud.remove("w-1")
    cloud.remove("w-1")
    assert driver.destroyed == [("w-1", False)]


def _azure(folder: Path) -> AzureSettings:
    key = folder / "key.pub"
    key.write_text("ssh-ed25519 AAAA test\n")
    return AzureSettings.model_validate(
        {
            "image": "Debian:debian-12:12-gen2:latest",
            "region": "westeurope",
            "tenant_id": "t",
            "subscription_id": "s",
            "application_id": "a",
            "secret_file": "/s",
            "resource_group": "surveys",
            "network": "net",
            "subnet": "workers",
            "public_key_file": str(key),
            "shapes": SHAPES,
        }
    )


class _AzureConnection:
    """Answers as Azure's documentation says; ``refusal`` is given to the next PUT."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.refusal: BaseHTTPError | None = None

    def request(
        self, path: str, *, params: dict[str, str], data: Any = None, method: str = "GET"
    ) -> Any:
        self.asked.append((method, path.rpartition("/")[2], params))
        if method == "PUT" and self.refusal:
            raise self.refusal
        if method == "DELETE":
            raise BaseHTTPError(self.answers["DELETE"], "as Libcloud tells it")
        if method == "PUT":
            return SimpleNamespace(object={**data, "name": path.rpartition("/")[2]})
        return SimpleNamespace(object=self.answers[params.get("$skiptoken", "")])


def test_azures_disk_and_interface_go_with_the_machine(tmp_path) -> None:
    body = machine_body(_azure(tmp_path), SPOT, "ssh-ed25519 AAAA")
    properties = body["properties"]
    (interface,) = properties["networkProfile"]["networkInterfaceConfigurations"]
    assert interface["properties"]["deleteOption"] == "Delete"
    assert properties["storageProfile"]["osDisk"]["deleteOption"] == "Delete"
    assert properties["priority"] == "Spot"
    assert base64.b64decode(properties["osProfile"]["customData"]).decode() == WANTED.script


def test_an_azure_machine_that_is_refused_leaves_nothing(tmp_path) -> None:
    connection = _AzureConnection({"DELETE": 404})
    connection.refusal = BaseHTTPError(409, "[QuotaExceeded] no more")
    with pytest.raises(BaseHTTPError, match="QuotaExceeded"):
        Azure(_azure(tmp_path), connection).create(WANTED)
    assert [(method, name) for method, name, _ in connection.asked] == [
        ("PUT", "w-1"),
        ("DELETE", "w-1"),
    ]


def test_azure_gives_its_machines_page_by_page(tmp_path) -> None:
    first = {"name": "a", "tags": {"k": "v"}, "properties": {"provisioningState": "Succeeded"}}
    second = {"name": "b", "properties": {"provisioningState": "Deleting"}}
    pages = {
        "": {"value": [first], "nextLink": "https://azure/x?api-version=1&$skiptoken=two&a=b"},
        "two": {"value": [second]},
    }
    found = Azure(_azure(tmp_path), _AzureConnection(pages)).instances()
    assert [(one.id, one.tags, one.state) for one in found] == [
        ("a", {"k": "v"}, MachineState.RUNNING),
        ("b", {}, MachineState.STOPPING),
    ]


@pytest.mark.parametrize(("status", "fine"), [(202, True), (204, True), (404, True), (403, False)])
def test_what_azure_says_of_an_end(tmp_path, status, fine) -> None:
    cloud = Azure(_azure(tmp_path), _AzureConnection({"DELETE": status}))
    if fine:
        cloud.remove("w-1")
    else:
        with pytest.raises(BaseHTTPError):
            cloud.remove("w-1")


def test_azure_makes_a_machine_with_its_tags(tmp_path) -> None:
    made = Azure(_azure(tmp_path), _AzureConnection({})).create(WANTED)
    assert (made.id, made.tags, made.state) == ("w-1", WANTED.tags, MachineState.PENDING)
