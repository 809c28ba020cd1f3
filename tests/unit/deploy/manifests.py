"""The shipped Kubernetes manifests, read as kustomize reads them: the files that it names, in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[3] / "deploy/kubernetes"
COMPOSE = FOLDER.parent / "compose"

Document = dict[str, Any]


def documents() -> list[Document]:
    """Give every document of the kustomization."""
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    texts = ((FOLDER / name).read_text() for name in listed["resources"])
    return [document for text in texts for document in yaml.safe_load_all(text)]


def named(kind: str, name: str) -> Document:
    """Give the one document of this kind and name."""
    (found,) = (d for d in documents() if (d["kind"], d["metadata"]["name"]) == (kind, name))
    return found


def pod_templates() -> dict[str, Document]:
    """Give every pod template by the name of what makes pods of it."""
    found = {}
    for document in documents():
        name, spec = document["metadata"]["name"], document.get("spec", {})
        if document["kind"] == "Deployment":
            found[name] = spec["template"]
        if document["kind"] == "RayCluster":
            found["head"] = spec["headGroupSpec"]["template"]
            found |= {group["groupName"]: group["template"] for group in spec["workerGroupSpecs"]}
    return found
