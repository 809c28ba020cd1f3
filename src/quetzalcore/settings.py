"""One frozen settings object: defaults, then ``quetzal.toml``, then the environment.

Only ``cli/`` reads the environment and the file; this module is given both as plain mappings.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from quetzalcore.errors import BadParameter, Where

__all__ = ["ALIASES", "Settings", "load_settings", "validated", "with_options"]

M = TypeVar("M", bound=BaseModel)

PREFIX = "QUETZAL_"


# Names that operators' scripts and container platforms know; the QUETZAL_ name wins where both are set.
ALIASES: Mapping[str, str] = {
    "REDIS_URL": "redis_url",
    "DATABASE_URL": "database_url",
    "SECRET_KEY": "secret_key",
    "HIVE_ORCHESTRATOR_URL": "join_url",
    "QUETZALCORE_MASTER": "join_url",
    "QUETZAL_MASTER": "join_url",
    "SCALING_MIN_INSTANCES": "scaling_min_instances",
    "SCALING_MAX_INSTANCES": "scaling_max_instances",
    "SCALING_TARGET_CPU": "scaling_target_cpu",
    "SCALING_TARGET_RESPONSE_TIME": "scaling_target_response_time",
    "SCALING_SCALE_UP_THRESHOLD": "scaling_scale_up_threshold",
    "SCALING_SCALE_DOWN_THRESHOLD": "scaling_scale_down_threshold",
    "SCALING_SCALE_UP_COOLDOWN": "scaling_scale_up_cooldown",
    "SCALING_SCALE_DOWN_COOLDOWN": "scaling_scale_down_cooldown",
    "MAX_RUNNERS": "scaling_max_workers",
    "AUTO_SCALE": "auto_scale",
    "WORKER_NODES": "worker_nodes",
    "SERVER_IP": "server_ip",
    "AWS_ACCESS_KEY_ID": "s3_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "s3_secret_access_key",
}


class Settings(BaseModel):
    """What an operator may set; every field has the same name in ``quetzal.toml``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threads: int | None = Field(
        default=None, ge=1, description="CPU threads for kernels; default: the CPUs we may run on."
    )
    rates_file: Path | None = Field(
        default=None, description="Cost rates to use instead of the built-in ones (TOML)."
    )
    priors_file: Path | None = Field(
        default=None, description="Petrophysical priors instead of the built-in ones (TOML)."
    )

    env: Literal["development", "production"] = Field(
        default="development",
        description="production: JSON logs, and VMs that enforce every limit or refuse the work.",
    )
    data_dir: Path = Field(
        default=Path("~/.quetzal"),
        description="Where the ledger, the artifacts, the logs and the sockets of this host are kept.",
    )
    host: str = Field(default="127.0.0.1", description="Address that the gateway listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port of the gateway.")
    master_host: str = Field(default="127.0.0.1", description="Address that the master listens on.")
    master_port: int = Field(default=9000, ge=0, le=65535, description="Port of the master.")
    public_url: str = Field(
        default="", description="The gateway as other hosts reach it; default: its own address."
    )
    database_url: str = Field(
        default="", description="sqlite:///PATH or postgresql://...; default: SQLite in data_dir."
    )
    redis_url: str = Field(
        default="", description="Redis for rate limits shared by instances; default: each its own."
    )
    artifacts_url: str = Field(
        default="",
        description="file:///PATH or s3://BUCKET/PREFIX?endpoint=URL; default: a folder in data_dir.",
    )
    s3_access_key_id: str = Field(default="", description="Key id for an S3 artifact store.")
    s3_secret_access_key: SecretStr = Field(
        default=SecretStr(""), description="Secret for an S3 artifact store."
    )
    secret_key: SecretStr = Field(
        default=SecretStr(""),
        description="Signs links; the same on every instance. Default: a random one kept in data_dir.",
    )

    url: str = Field(
        default="",
        description="Server that client commands speak to; default: the one on this host.",
    )
    api_key: SecretStr = Field(default=SecretStr(""), description="Key that client commands show.")

    engine: Literal["local", "ray"] = Field(
        default="local", description="local: jobs run on this host; ray: on a Ray cluster."
    )
    ray_address: str = Field(
        default="", description="HOST:PORT of a Ray head; default: the master starts one."
    )
    ray_host: str = Field(
        default="", description="This host's address in the Ray cluster; default: its first."
    )
    ray_port: int = Field(default=6380, ge=1, le=65535, description="Port of the head we start.")
    ray_token: SecretStr = Field(
        default=SecretStr(""), description="Ray's token; default: a random one kept in data_dir."
    )
    join_url: str = Field(default="", description="Gateway that a worker joins.")
    join_key: SecretStr = Field(default=SecretStr(""), description="Key that a worker joins with.")

    runtime: Literal["auto", "crun", "runc", "runsc", "bubblewrap", "process"] = Field(
        default="auto", description="What isolates VMs; auto: the strongest that works here."
    )
    owner_tenants: tuple[str, ...] | None = Field(
        default=None,
        description="Tenants whose work is this host's owner's own and may run behind weaker walls; "
        "* for all. Default: the first administrator's in development, none in production.",
    )
    worker_cpus: float | None = Field(
        default=None, gt=0, description="Cores that this node offers; default: all."
    )
    worker_memory_mib: int | None = Field(
        default=None, ge=256, description="Memory that this node offers; default: 80 % of it."
    )
    kernels_dir: Path = Field(
        default=Path("~/.cache/quetzalcore/kernels"),
        description="Compiled kernels that VMs of this host read; made after the first survey.",
    )
    warm_bare: int = Field(default=1, ge=0, le=64, description="Warm VMs with Python only.")
    warm_numeric: int = Field(default=1, ge=0, le=64, description="Warm VMs with NumPy and Numba.")
    lease_s: float | None = Field(
        default=None, gt=1, description="How long an attempt lives unrenewed; default: by engine."
    )

    auto_scale: bool = Field(
        default=True, description="Whether workers and instances come and go by themselves."
    )
    scaling_min_workers: int = Field(default=1, ge=0, description="Fewest workers.")
    scaling_max_workers: int = Field(default=10, ge=1, description="Most workers.")
    scaling_min_instances: int = Field(default=2, ge=1, description="Fewest gateway instances.")
    scaling_max_instances: int = Field(default=20, ge=1, description="Most gateway instances.")
    scaling_target_cpu: float = Field(
        default=70.0, gt=0, le=100, description="CPU that instances are held near, in percent."
    )
    scaling_target_response_time: float = Field(
        default=2.0, gt=0, description="Response time that instances are held below, in seconds."
    )
    scaling_scale_up_threshold: float = Field(
        default=80.0, gt=0, le=100, description="CPU above which a set grows, in percent."
    )
    scaling_scale_down_threshold: float = Field(
        default=40.0,
        ge=0,
        le=100,
        description="CPU below which instances become fewer, in percent.",
    )
    scaling_scale_up_cooldown: float = Field(
        default=300.0, ge=0, description="Seconds from one growth of a set to the next."
    )
    scaling_scale_down_cooldown: float = Field(
        default=600.0, ge=0, description="Seconds from a change of a set to its next shrinking."
    )
    scaling_queue_up: int = Field(
        default=10, ge=0, description="Waiting jobs above which workers are added."
    )
    scaling_idle_s: float = Field(
        default=300.0, gt=0, description="A worker without work for so long goes, in seconds."
    )
    scaling_schedules: tuple[str, ...] = Field(
        default=(),
        description='Bounds by the week, like "workers mon-fri 07:00-19:00 Africa/Gaborone 4-20".',
    )
    scaling_forecast: bool = Field(
        default=False, description="Whether the queue's recent course is looked ahead along."
    )
    scaling_spot: bool = Field(
        default=False, description="Whether machines that may be taken away are asked for."
    )
    scaling_every_s: float = Field(
        default=1.0, gt=0, description="How often the leader looks whether to scale, in seconds."
    )
    scaling_ready_s: float = Field(
        default=600.0, gt=0, description="A machine that is no node after so long is replaced."
    )
    drain_s: float = Field(
        default=600.0, ge=0, description="How long a worker that is to go may finish what it runs."
    )
    provider: Literal["local", "docker", "kubernetes", "aws", "gcp", "azure", "hosts", "none"] = (
        Field(default="local", description="Where new workers come from.")
    )
    provider_file: Path | None = Field(
        default=None, description="What the provider needs to know (TOML); see its documentation."
    )
    prices_file: Path | None = Field(
        default=None, description="Machine shapes and prices instead of the built-in ones (TOML)."
    )
    worker_nodes: tuple[str, ...] = Field(
        default=(), description="Hosts of the provider hosts, as SSH knows them."
    )
    server_ip: str = Field(
        default="", description="This server's address as workers reach it; default: its own."
    )
    node_id: str = Field(
        default="", description="This worker's name in the cluster; default: the host's name."
    )
    balancer: Literal["auto", "nginx", "socket"] = Field(
        default="auto",
        description="What spreads requests over instances; auto: nginx if installed, else one shared socket.",
    )
    trusted_proxies: str = Field(
        default="",
        description="Balancers before a gateway, like 10.0.0.0/8,192.0.2.7, whose word of a client's address counts; default: this host's own.",
    )
    tls_port: int = Field(
        default=0, ge=0, le=65535, description="Port of TLS beside the plain one; 0 for none."
    )
    tls_certificate: Path | None = Field(default=None, description="Certificate chain (PEM).")
    tls_key: Path | None = Field(default=None, description="The certificate's private key (PEM).")

    max_upload_mib: int = Field(default=4096, ge=1, description="Largest upload.")
    retention_days: float = Field(
        default=90.0, gt=0, description="Ended jobs and their files are deleted after this."
    )
    quota_queued: int = Field(
        default=10_000, ge=1, description="Jobs that a tenant may have waiting."
    )
    quota_running: int = Field(
        default=1000, ge=1, description="Jobs that a tenant may have running."
    )
    quota_artifact_gib: float = Field(
        default=100.0, gt=0, description="Artifacts that a tenant may keep."
    )
    quota_upload_gib: float = Field(
        default=100.0, gt=0, description="Uploads that a tenant may have at a time."
    )
    rate_limit: str = Field(
        default="6000/minute", description="Requests by one user, like 100/minute."
    )
    login_rate_limit: str = Field(
        default="10/minute", description="Logins and wrong keys from one address, like 10/minute."
    )
    rate_limit_exempt: tuple[str, ...] = Field(
        default=(), description="Key ids without rate limit, for load tests."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least level that is logged."
    )

    @field_validator(
        "rate_limit_exempt", "owner_tenants", "worker_nodes", "scaling_schedules", mode="before"
    )
    @classmethod
    def _split(cls, value: Any) -> Any:  # noqa: ANN401 -- a raw setting
        """Read the list as the environment gives it: separated by commas."""
        return tuple(filter(None, value.split(","))) if isinstance(value, str) else value


def load_settings(
    file_values: Mapping[str, Any], environment: Mapping[str, str]
) -> tuple[Settings, tuple[str, ...]]:
    """Merge the two sources over the defaults; return the settings and warnings.

    Unknown keys of the file are refused; unknown ``QUETZAL_`` variables are only warned of, because
    container platforms inject their own.

    Raises
    ------
    BadParameter
        If a value is out of range or a key of the file is unknown.
    """
    known_names = {ALIASES[name]: environment[name] for name in ALIASES if name in environment}
    own = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and name not in ALIASES
    }
    given = {**known_names, **own}
    known = set(Settings.model_fields)
    warnings = tuple(
        f"the environment variable {PREFIX}{name.upper()} is not a setting and is ignored"
        for name in sorted(set(given) - known)
    )
    merged = {**file_values, **{name: given[name] for name in set(given) & known}}
    return validated(Settings, merged, source="quetzal.toml or the environment"), warnings


def with_options(settings: Settings, **options: str | int | None) -> Settings:
    """Lay the options of a command over the settings; None means not given.

    Raises
    ------
    BadParameter
        If a value is out of range.
    """
    given = {name: value for name, value in options.items() if value is not None}
    return validated(Settings, {**settings.model_dump(), **given}, source="the command line")


def validated(model: type[M], values: Mapping[str, Any], *, source: str) -> M:
    """Build ``model`` from a mapping, or say in one sentence which key is wrong.

    Raises
    ------
    BadParameter
        Naming the first offending key, what was given and what is allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            detail, hint = f"there is no key {key}", "remove it or correct its spelling"
        else:
            detail = f"{key} is {first['input']!r}"
            hint = first["msg"][0].lower() + first["msg"][1:]
        raise BadParameter(detail, hint=hint, where=Where(file=source)) from None
