"""Amazon EC2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from libcloud.common.exceptions import BaseHTTPError
from libcloud.compute.base import Node, NodeImage, NodeSize
from libcloud.compute.drivers.ec2 import EC2NetworkSubnet
from libcloud.compute.providers import get_driver
from libcloud.compute.types import NodeState, Provider

from quetzalcore.autoscaler.clouds.cloud import TAGS, Instance, Wanted
from quetzalcore.autoscaler.provider import MachineState
from quetzalcore.autoscaler.provider_settings import AwsSettings

__all__ = ["Ec2", "launch_arguments", "open_ec2"]

_ANSWER_S = 30.0
_STATES = {
    "pending": MachineState.PENDING,
    "running": MachineState.RUNNING,
    "stopping": MachineState.PENDING,  # it has no node, so it will be replaced
    "stopped": MachineState.PENDING,
}


def launch_arguments(settings: AwsSettings, wanted: Wanted) -> dict[str, Any]:
    """Give what a launch asks for, beside image and size.

    The order's name makes the client token: the same order makes one instance, even if nobody heard the first
    answer. Tags travel in the same request, so no instance is ever without them.
    """
    optional = {
        "ex_keyname": settings.key_name,
        "ex_iamprofile": settings.instance_profile,
        "ex_security_group_ids": list(settings.security_groups),
    }
    return {
        "name": wanted.name,
        "ex_clienttoken": sha256(f"{settings.cluster} {wanted.name}".encode()).hexdigest(),
        "ex_userdata": wanted.script,
        "ex_metadata": dict(wanted.tags),
        "ex_spot": wanted.spot,
        "ex_terminate_on_shutdown": True,
        **{name: value for name, value in optional.items() if value},
    }


class Ec2:
    """One region of one account."""

    def __init__(self, settings: AwsSettings, driver: Any) -> None:  # noqa: ANN401 -- Libcloud's
        self._settings = settings
        self._driver = driver

    def create(self, wanted: Wanted) -> Instance:
        """Run one instance."""
        arguments = launch_arguments(self._settings, wanted)
        subnet = self._settings.subnet
        if subnet:
            arguments["ex_subnet"] = EC2NetworkSubnet(subnet, subnet, "available")
        node = self._driver.create_node(
            size=NodeSize(wanted.size, wanted.size, 0, 0, 0, 0, self._driver),
            image=NodeImage(self._settings.image, "", self._driver),
            **arguments,
        )
        return _instance(node, wanted.tags)

    def instances(self) -> Sequence[Instance]:
        """Give the instances with our cluster's tag that are not on their way out."""
        filters = {
            f"tag:{TAGS}cluster": self._settings.cluster,
            "instance-state-name": list(_STATES),
        }
        nodes = self._driver.list_nodes(ex_filters=filters)
        return [_instance(node, node.extra.get("tags") or {}) for node in nodes]

    def remove(self, instance_id: str) -> None:
        """Terminate an instance."""
        try:
            self._driver.destroy_node(
                Node(instance_id, "", NodeState.UNKNOWN, [], [], self._driver)
            )
        except BaseHTTPError as error:
            if "InvalidInstanceID.NotFound" not in str(error):
                raise


def open_ec2(settings: AwsSettings) -> Ec2:
    """Get ready to speak with EC2; nothing is asked yet."""
    other: dict[str, Any] = {}
    if settings.endpoint:
        url = urlsplit(settings.endpoint)
        other = {"host": url.hostname, "port": url.port, "secure": url.scheme == "https"}
    driver = get_driver(Provider.EC2)(
        settings.access_key_id,
        settings.secret_file.read_text("utf-8").strip(),
        region=settings.region,
        signature_version="4",
        timeout=_ANSWER_S,
        **other,
    )
    return Ec2(settings, driver)


def _instance(node: Any, tags: Mapping[str, str]) -> Instance:  # noqa: ANN401 -- Libcloud's
    addresses = [*node.private_ips, *node.public_ips]
    return Instance(
        id=node.id,
        tags=dict(tags),
        state=_STATES.get(node.extra.get("status", ""), MachineState.PENDING),
        address=addresses[0] if addresses else "",
    )
