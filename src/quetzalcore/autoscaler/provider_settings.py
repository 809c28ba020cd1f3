"""What each provider needs to know: strict models of the provider's file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from quetzalcore.autoscaler.model import Shape
from quetzalcore.errors import BadParameter, Where
from quetzalcore.settings import validated

__all__ = [
    "MODELS",
    "AwsSettings",
    "AzureSettings",
    "CloudSettings",
    "DockerSettings",
    "GcpSettings",
    "HostsSettings",
    "KubernetesSettings",
    "LocalSettings",
    "ProviderSettings",
    "Size",
    "read_provider_file",
]

_NAME = r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
Name = Annotated[str, Field(pattern=_NAME)]
"""As the narrowest of them allows it as a label."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Size(_Strict):
    """A size of machine; ``size`` is the provider's own word for it, where it has one."""

    name: Name
    cpus: float = Field(gt=0)
    memory_mib: int = Field(ge=256)
    vgpus: int = Field(default=0, ge=0)
    scratch_mib: int = Field(default=0, ge=0)
    hourly_price: float = Field(default=0.0, ge=0)
    spot: bool = False
    size: str = ""

    def shape(self) -> Shape:
        """Give it as the policy knows it."""
        return Shape(**self.model_dump(exclude={"size"}))


class _Sized(_Strict):
    cluster: Name = Field(
        default="quetzal", description="Tells our machines from another installation's."
    )
    shapes: tuple[Size, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> _Sized:
        if len({size.name for size in self.shapes}) != len(self.shapes):
            raise ValueError("two shapes have the same name")
        return self

    def offered(self) -> tuple[Shape, ...]:
        """Give the sizes, cheapest first."""
        return tuple(
            sorted(
                (size.shape() for size in self.shapes),
                key=lambda shape: (shape.hourly_price, shape.cpus, shape.memory_mib),
            )
        )

    def size_of(self, shape: Shape) -> str:
        """Give the provider's word for a shape; ``BadParameter`` if it is not offered."""
        for size in self.shapes:
            if size.name == shape.name:
                return size.size or size.name
        raise BadParameter(
            f"there is no shape {shape.name!r}",
            hint=f"choose from {', '.join(size.name for size in self.shapes) or 'none'}",
        )


class LocalSettings(_Strict):
    """Workers on the master's own host: the size of one slot."""

    cpus: float = Field(default=1.0, gt=0)
    memory_mib: int = Field(default=1024, ge=256)


class DockerSettings(_Sized):
    """Containers of one engine."""

    socket: Path = Path("/var/run/docker.sock")
    image: str = Field(default="quetzalcore:latest", min_length=1)
    command: tuple[str, ...] = ("worker",)
    network: str = Field(default="bridge", min_length=1)
    user: str = Field(default="", description="UID or UID:GID; default: the image's.")
    environment: Mapping[str, str] = {}
    join_key_file: Path | None = Field(
        default=None, description="Mounted into the worker, instead of a variable."
    )
    volumes: Mapping[str, str] = Field(
        default={}, description="Path in the container -> named volume."
    )
    tmpfs: tuple[str, ...] = ("/tmp", "/run")  # noqa: S108 -- of the container
    devices: tuple[str, ...] = ()
    cap_add: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    pids: int = Field(default=4096, ge=16)
    stop_s: float = Field(default=30.0, ge=0)
    most_cpus: float | None = Field(
        default=None, gt=0, description="Of all workers together; default: the engine's host's."
    )
    most_memory_mib: int | None = Field(
        default=None, ge=256, description="Of all workers together; default: 80 % of the host's."
    )
    shapes: tuple[Size, ...] = (
        Size(name="small", cpus=2, memory_mib=4096),
        Size(name="medium", cpus=4, memory_mib=8192),
        Size(name="large", cpus=8, memory_mib=16384),
    )


class KubernetesSettings(_Sized):
    """A RayCluster that KubeRay keeps; a shape's ``size`` is the name of its worker group.

    Without ``url``, the cluster that we run in.
    """

    ray_cluster: Name = "quetzal"
    namespace: str = Field(default="", description="Default: the one that we run in.")
    url: str = Field(default="", description="The API server; default: as pods find it.")
    token_file: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    ca_file: Path | None = Path("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")
    namespace_file: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
    shapes: tuple[Size, ...] = Field(min_length=1)


class CloudSettings(_Sized):
    """What all clouds have in common."""

    image: str = Field(min_length=1, description="Image that machines start from.")
    install: str = Field(default="", description="Shell command that installs QuetzalCore.")
    start: str = Field(
        default="exec quetzal worker", min_length=1, description="Shell command that runs a worker."
    )
    shapes: tuple[Size, ...] = Field(min_length=1)


class AwsSettings(CloudSettings):
    """EC2."""

    region: str = Field(min_length=1)
    access_key_id: str = Field(min_length=1)
    secret_file: Path = Field(description="File with the secret access key alone.")
    subnet: str = ""
    security_groups: tuple[str, ...] = Field(default=(), description="Ids; they need a subnet.")
    key_name: str = ""
    instance_profile: str = ""
    endpoint: str = Field(default="", description="Another server that speaks EC2.")

    @model_validator(mode="after")
    def _groups_have_a_subnet(self) -> AwsSettings:
        if self.security_groups and not self.subnet:
            raise ValueError("security_groups need a subnet")
        return self


class GcpSettings(CloudSettings):
    """Compute Engine."""

    project: str = Field(min_length=1)
    zone: str = Field(min_length=1)
    service_account: str = Field(min_length=1, description="E-mail of a service account.")
    key_file: Path = Field(description="Its key (JSON or PEM).")
    network: str = "default"
    subnetwork: str = ""
    disk_gib: int = Field(default=50, ge=10)


class AzureSettings(CloudSettings):
    """Azure Resource Manager; ``image`` is PUBLISHER:OFFER:SKU:VERSION."""

    region: str = Field(min_length=1)
    tenant_id: str = Field(min_length=1)
    subscription_id: str = Field(min_length=1)
    application_id: str = Field(min_length=1)
    secret_file: Path = Field(description="File with the application's secret alone.")
    resource_group: str = Field(min_length=1)
    network: str = Field(min_length=1)
    subnet: str = Field(min_length=1)
    user: str = "quetzal"
    public_key_file: Path = Field(description="SSH key that may log in (Azure demands one).")
    image: str = Field(pattern=r"^[^:]+:[^:]+:[^:]+:[^:]+$")


class HostsSettings(_Strict):
    """Hosts that are given, reached by SSH."""

    cluster: Name = "quetzal"
    hosts: tuple[str, ...] = Field(default=(), description="Default: the setting worker_nodes.")
    user: str = ""
    port: int | None = Field(default=None, ge=1, le=65535)
    identity_file: Path | None = None
    known_hosts_file: Path | None = None
    connect_timeout_s: float = Field(default=10.0, gt=0)
    folder: str = Field(
        default="/var/lib/quetzalcore/worker",
        min_length=1,
        description="Kept on each host: mark, variables, log. Relative: where logins begin.",
    )
    unit: str = "quetzalcore-hv"
    command: tuple[str, ...] = Field(
        default=("quetzal", "worker"), min_length=1, description="Where there is no such unit."
    )
    stop_s: float = Field(default=30.0, ge=0)


ProviderSettings = (
    LocalSettings
    | DockerSettings
    | KubernetesSettings
    | AwsSettings
    | GcpSettings
    | AzureSettings
    | HostsSettings
)

MODELS: Mapping[str, type[ProviderSettings]] = {
    "local": LocalSettings,
    "docker": DockerSettings,
    "kubernetes": KubernetesSettings,
    "aws": AwsSettings,
    "gcp": GcpSettings,
    "azure": AzureSettings,
    "hosts": HostsSettings,
}
"""By the setting ``provider``; ``none`` has none."""


def read_provider_file(provider: str, path: Path | None) -> ProviderSettings:
    """Read what a provider needs to know; without a file, its defaults.

    Raises
    ------
    BadParameter
        If the file cannot be read, a key is unknown, or a value is out of range.
    """
    source = "the defaults" if path is None else str(path)
    try:
        values: dict[str, Any] = (
            {} if path is None else tomllib.loads(path.read_text(encoding="utf-8"))
        )
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadParameter(
            f"the provider's file cannot be read: {error}",
            hint="give a TOML file with provider_file",
            where=Where(file=source),
        ) from error
    return validated(MODELS[provider], values, source=source)
