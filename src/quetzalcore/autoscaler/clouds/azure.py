"""Azure virtual machines.

Libcloud signs in and sends; the bodies are ours, because its own way makes a network interface first, which a
failure leaves behind, and cannot hand over a start script on Python 3.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from libcloud.common.exceptions import BaseHTTPError
from libcloud.common.types import LibcloudError
from libcloud.compute.providers import get_driver
from libcloud.compute.types import Provider

from quetzalcore.autoscaler.clouds.cloud import Instance, Wanted
from quetzalcore.autoscaler.provider import MachineState
from quetzalcore.autoscaler.provider_settings import AzureSettings

__all__ = ["Azure", "machine_body", "open_azure"]

_ANSWER_S = 60.0
_VERSION = {"api-version": "2023-09-01"}
_NETWORK_VERSION = "2022-11-01"
_NOT_FOUND = 404
_STATES = {
    "Succeeded": MachineState.RUNNING,
    "Deleting": MachineState.STOPPING,
}


def machine_body(settings: AzureSettings, wanted: Wanted, public_key: str) -> dict[str, Any]:
    """Give the body that makes a machine with its disk and its interface, both of which go with it."""
    publisher, offer, sku, version = settings.image.split(":")
    subnet = (
        f"/subscriptions/{settings.subscription_id}/resourceGroups/{settings.resource_group}"
        f"/providers/Microsoft.Network/virtualNetworks/{settings.network}/subnets/{settings.subnet}"
    )
    interface = {
        "name": f"{wanted.name}-nic",
        "properties": {
            "primary": True,
            "deleteOption": "Delete",
            "ipConfigurations": [{"name": "main", "properties": {"subnet": {"id": subnet}}}],
        },
    }
    key = {"path": f"/home/{settings.user}/.ssh/authorized_keys", "keyData": public_key}
    properties: dict[str, Any] = {
        "hardwareProfile": {"vmSize": wanted.size},
        "storageProfile": {
            "imageReference": {
                "publisher": publisher,
                "offer": offer,
                "sku": sku,
                "version": version,
            },
            "osDisk": {
                "name": f"{wanted.name}-disk",
                "createOption": "FromImage",
                "deleteOption": "Delete",
                "managedDisk": {"storageAccountType": "Premium_LRS"},
            },
        },
        "osProfile": {
            "computerName": wanted.name,
            "adminUsername": settings.user,
            "customData": base64.b64encode(wanted.script.encode()).decode("ascii"),
            "linuxConfiguration": {
                "disablePasswordAuthentication": True,
                "ssh": {"publicKeys": [key]},
            },
        },
        "networkProfile": {
            "networkApiVersion": _NETWORK_VERSION,
            "networkInterfaceConfigurations": [interface],
        },
    }
    if wanted.spot:
        properties |= {"priority": "Spot", "evictionPolicy": "Delete"}
    return {"location": settings.region, "tags": dict(wanted.tags), "properties": properties}


class Azure:
    """One resource group, in which a name is given once."""

    def __init__(self, settings: AzureSettings, connection: Any) -> None:  # noqa: ANN401 -- Libcloud's
        self._settings = settings
        self._connection = connection
        self._folder = (
            f"/subscriptions/{settings.subscription_id}/resourceGroups/{settings.resource_group}"
            "/providers/Microsoft.Compute/virtualMachines"
        )

    def create(self, wanted: Wanted) -> Instance:
        """Put one machine; what is left of one that was refused half way is deleted."""
        public_key = self._settings.public_key_file.read_text("utf-8").strip()
        body = machine_body(self._settings, wanted, public_key)
        path = f"{self._folder}/{wanted.name}"
        try:
            answer = self._connection.request(path, params=_VERSION, data=body, method="PUT")
        except (BaseHTTPError, LibcloudError):
            self.remove(wanted.name)
            raise
        return _instance(answer.object)

    def instances(self) -> Sequence[Instance]:
        """Give the resource group's machines, page by page."""
        found: list[Instance] = []
        params: dict[str, str] = dict(_VERSION)
        while True:
            page = self._connection.request(self._folder, params=params).object
            found += map(_instance, page["value"])
            _, more, token = page.get("nextLink", "").partition("$skiptoken=")
            if not more:
                return found
            params = {**_VERSION, "$skiptoken": token.split("&")[0]}

    def remove(self, instance_id: str) -> None:
        """Delete a machine; its end is not waited for."""
        try:
            self._connection.request(
                f"{self._folder}/{instance_id}", params=_VERSION, method="DELETE"
            )
        except BaseHTTPError as error:
            if error.code not in {202, 204, _NOT_FOUND}:
                raise


def open_azure(settings: AzureSettings) -> Azure:
    """Get ready to speak with Azure."""
    driver = get_driver(Provider.AZURE_ARM)(
        tenant_id=settings.tenant_id,
        subscription_id=settings.subscription_id,
        key=settings.application_id,
        secret=settings.secret_file.read_text("utf-8").strip(),
        region=settings.region,
        timeout=_ANSWER_S,
    )
    return Azure(settings, driver.connection)


def _instance(document: Any) -> Instance:  # noqa: ANN401 -- JSON
    state = document.get("properties", {}).get("provisioningState", "")
    return Instance(
        id=document["name"],
        tags=document.get("tags") or {},
        state=_STATES.get(state, MachineState.PENDING),
    )
