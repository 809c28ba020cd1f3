"""What a RayCluster and a pod must look like.

Pods and templates are held to Kubernetes' published schemas. ``RAY_CLUSTER`` was written after KubeRay's types
(``ray.io/v1``, 1.4): the fields that matter here, with their types and what is required. It is not KubeRay's own file.
"""

from __future__ import annotations

import functools
import json
from typing import Any

import jsonschema
import kubernetes_validate

__all__ = ["RAY_CLUSTER", "Refused", "check_cluster", "check_pod"]

_VERSION = "1.33"

_COUNT = {"type": "integer", "minimum": -(1 << 31), "maximum": (1 << 31) - 1}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_NAMES = {"type": "array", "items": {"type": "string"}}
RAY_CLUSTER: dict[str, Any] = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "ray.io/v1"},
        "kind": {"const": "RayCluster"},
        "metadata": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string"},
                "resourceVersion": {"type": "string"},
                "annotations": _TEXTS,
                "labels": _TEXTS,
            },
        },
        "spec": {
            "type": "object",
            "required": ["headGroupSpec"],
            "properties": {
                "rayVersion": {"type": "string"},
                "enableInTreeAutoscaling": {"type": "boolean"},
                "suspend": {"type": "boolean"},
                "headGroupSpec": {
                    "type": "object",
                    "required": ["template"],
                    "properties": {"rayStartParams": _TEXTS, "template": {"type": "object"}},
                },
                "workerGroupSpecs": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["groupName", "minReplicas", "maxReplicas", "template"],
                        "additionalProperties": False,
                        "properties": {
                            "groupName": {"type": "string"},
                            "replicas": _COUNT,
                            "minReplicas": _COUNT,
                            "maxReplicas": _COUNT,
                            "numOfHosts": _COUNT,
                            "idleTimeoutSeconds": _COUNT,
                            "suspend": {"type": "boolean"},
                            "rayStartParams": _TEXTS,
                            "scaleStrategy": {
                                "type": "object",
                                "additionalProperties": False,
                                "properties": {
                                    "workersToDelete": _NAMES,
                                    "multihostReplicasToDelete": _NAMES,
                                },
                            },
                            "template": {"type": "object"},
                        },
                    },
                },
            },
        },
    },
}


class Refused(Exception):
    """An answer that is not 200."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def check_pod(pod: dict[str, Any]) -> None:
    """Hold a pod to core/v1."""
    _check(json.dumps(pod))


def check_cluster(cluster: dict[str, Any]) -> None:
    """Hold a RayCluster to its schema, and its templates to core/v1; ``Refused`` as the API server would."""
    try:
        jsonschema.validate(cluster, RAY_CLUSTER)
        for group in (
            cluster["spec"]["headGroupSpec"],
            *cluster["spec"].get("workerGroupSpecs", ()),
        ):
            template = {"apiVersion": "v1", "kind": "PodTemplate", "template": group["template"]}
            _check(json.dumps(template))
    except (jsonschema.ValidationError, kubernetes_validate.ValidationError) as error:
        raise Refused(422, f"invalid: {error.message}") from error


@functools.cache
def _check(document: str) -> None:
    """Hold a document to Kubernetes' schemas, once: each time takes a twentieth of a second."""
    kubernetes_validate.validate(json.loads(document), _VERSION, strict=True)
