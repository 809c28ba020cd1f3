"""The key under which identical work is recognised."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from quetzalcore.workloads.kind import Kind

__all__ = ["data_versions", "reuse_key"]

_FORM = 1  # raised when the way keys are made changes
_DATA = {
    "igrf": "geophysics/igrf/data/IGRF14.shc",
    "rates": "geophysics/economics/rates.toml",
    "priors": "geophysics/deposits/petrophysics.toml",
}


def reuse_key(
    tenant: str,
    kind: Kind,
    params: Mapping[str, Any],
    input_digests: Mapping[str, str],
    data: Mapping[str, str],
) -> str:
    """Give the key of a piece of work, ``tenant:digest``; empty where the kind's results are not reused.

    Equal for equal work and different for any other. It holds only for the tenant that it begins with.

    Parameters
    ----------
    tenant : str
    kind : Kind
        Its name and version count.
    params : mapping
        Canonical, from ``canonical_params``.
    input_digests : mapping of str to str
        SHA-256 of each input file by the name it was given.
    data : mapping of str to str
        From ``data_versions``.
    """
    if not kind.reusable:
        return ""
    whole = {
        "form": _FORM,
        "tenant": tenant,
        "kind": kind.name,
        "version": kind.version,
        "params": params,
        "inputs": input_digests,
        "data": data,
    }
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return f"{tenant}:{hashlib.sha256(text.encode()).hexdigest()}"


def data_versions(settings: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Give the digest of each body of data that results rest on: the package's, or the operator's own."""
    given = settings or {}
    return {
        name: _digest(own.encode()) if (own := given.get(f"{name}_toml")) else _packaged(path)
        for name, path in _DATA.items()
    }


@cache
def _packaged(path: str) -> str:
    return _digest(files("quetzalcore").joinpath(path).read_bytes())


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
