"""The container of a worker, as the body of a request to a Docker engine."""

from __future__ import annotations

from typing import Any

from quetzalcore.autoscaler.marks import Mark, tags_of
from quetzalcore.autoscaler.provider_settings import DockerSettings
from quetzalcore.autoscaler.worker_start import WorkerAccess, worker_environment

__all__ = ["LABELS", "SECRET", "container_of"]

LABELS = "org.quetzalcore."
SECRET = "/run/secrets/join_key"  # noqa: S105 -- a path
_MIB = 1 << 20


def container_of(mark: Mark, settings: DockerSettings, access: WorkerAccess) -> dict[str, Any]:
    """Give the body with which the engine makes a worker's container."""
    variables = worker_environment(access, mark.order)
    mounts: list[dict[str, Any]] = [
        {"Type": "volume", "Source": volume, "Target": target}
        for target, volume in settings.volumes.items()
    ]
    if settings.join_key_file is not None:
        del variables["QUETZAL_JOIN_KEY"]
        variables["QUETZAL_JOIN_KEY_FILE"] = SECRET
        mounts.append(
            {
                "Type": "bind",
                "Source": str(settings.join_key_file),
                "Target": SECRET,
                "ReadOnly": True,
            }
        )
    environment = {**settings.environment, **variables}
    return {
        "Image": settings.image,
        "Cmd": list(settings.command),
        "Hostname": mark.order,
        "User": settings.user,
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Labels": tags_of(mark, prefix=LABELS),
        "StopTimeout": round(settings.stop_s),
        "HostConfig": {
            "NetworkMode": settings.network,
            "NanoCpus": round(mark.shape.cpus * 1e9),
            "Memory": mark.shape.memory_mib * _MIB,
            "MemorySwap": mark.shape.memory_mib * _MIB,  # no swap beside it
            "PidsLimit": settings.pids,
            "ReadonlyRootfs": True,
            "Tmpfs": dict.fromkeys(settings.tmpfs, ""),
            "Mounts": mounts,
            "Init": True,
            "CapDrop": ["ALL"],
            "CapAdd": list(settings.cap_add),
            "SecurityOpt": list(settings.security_opt),
            "Devices": [
                {"PathOnHost": device, "PathInContainer": device, "CgroupPermissions": "rwm"}
                for device in settings.devices
            ],
            "RestartPolicy": {"Name": "unless-stopped"},
        },
    }
