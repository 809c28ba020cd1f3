"""How a process is let into a Ray cluster: where it is, its keys, and the environment that Ray reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "AGENT_VARIABLE",
    "FOLDER_VARIABLE",
    "RayPlace",
    "RaySecurity",
    "TlsFiles",
    "client_environment",
    "restart_delay_s",
]

AGENT_VARIABLE = "QUETZAL_AGENT"  # tells a node's agent actor what it is
FOLDER_VARIABLE = "QUETZAL_RAY_FOLDER"  # marks every process of a Ray node with the node's folder
_DELAYS_S = (0.5, 1.0, 2.0, 5.0, 10.0)

# A dead node is noticed after about 5 s and not 13.5 s; a node waits so long for a lost head.
_TUNING: Mapping[str, str] = {
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "5",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "60",
    "RAY_enable_metrics_collection": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_USE_UVLOOP": "0",  # agents are written for, and tested on, asyncio's own loop
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DISABLE_IMPORT_WARNING": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files of one host: its certificate, its private key, and the authority that all trust."""

    certificate: Path
    key: Path
    authority: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RaySecurity:
    """What a process needs to be let into the cluster."""

    token_file: Path
    tls: TlsFiles | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RayPlace:
    """A cluster as its masters see it; agents are shared by masters of the same namespace."""

    address: str  # host:port of the head
    security: RaySecurity
    namespace: str = "quetzal"


def client_environment(security: RaySecurity, inherited: Mapping[str, str]) -> dict[str, str]:
    """Build the environment of a process that joins the cluster; Ray settings of the outside are dropped."""
    environment = {name: value for name, value in inherited.items() if not _is_rays(name)}
    environment |= _TUNING
    environment["RAY_AUTH_MODE"] = "token"
    environment["RAY_AUTH_TOKEN_PATH"] = str(security.token_file)
    if security.tls is not None:
        environment |= {
            "RAY_USE_TLS": "1",
            "RAY_TLS_SERVER_CERT": str(security.tls.certificate),
            "RAY_TLS_SERVER_KEY": str(security.tls.key),
            "RAY_TLS_CA_CERT": str(security.tls.authority),
        }
    return environment


def restart_delay_s(failures: int) -> float:
    """Give the wait before the next start after so many failures in a row."""
    return _DELAYS_S[min(failures, len(_DELAYS_S)) - 1] if failures else 0.0


def _is_rays(name: str) -> bool:
    return name.startswith("RAY_") or name in {FOLDER_VARIABLE, AGENT_VARIABLE}
