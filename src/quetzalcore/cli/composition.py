"""Builds the platform's parts from the settings: the one place that knows every adapter."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import quetzalcore
from quetzalcore.cli.clock import now
from quetzalcore.cli.host_files import HostFiles, kept_secret
from quetzalcore.cli.store_links import links_for
from quetzalcore.cluster.admission import AdmissionConfig
from quetzalcore.cluster.composition import make_master
from quetzalcore.cluster.engine import Engine
from quetzalcore.cluster.janitor import JanitorConfig
from quetzalcore.cluster.master import Companion, Master
from quetzalcore.cluster.term import MasterConfig
from quetzalcore.database import Database, open_database
from quetzalcore.errors import BadParameter, Where
from quetzalcore.gateway.config import GatewayConfig
from quetzalcore.gateway.parts import GatewayParts, JoinProvider
from quetzalcore.identity.bootstrap import FIRST_TENANT
from quetzalcore.identity.limits import RateLimiter, parse_rules
from quetzalcore.identity.sql import SqlIdentityStore, open_identity_store
from quetzalcore.jobs.artifacts import ArtifactStore
from quetzalcore.jobs.quota import Quota
from quetzalcore.jobs.sql import (
    SqlInstanceBook,
    SqlLeadership,
    SqlLedger,
    SqlNodeBook,
    SqlScalingBook,
    SqlUploads,
    open_ledger,
)
from quetzalcore.jobs.stores import open_store
from quetzalcore.settings import Settings
from quetzalcore.workloads.catalog import catalog
from quetzalcore.workloads.reuse import data_versions

__all__ = ["Platform", "open_identity", "open_platform"]

_MIB = 2**20
_GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What any role needs: the database's books, the files, the identities."""

    settings: Settings
    files: HostFiles
    database: Database
    ledger: SqlLedger
    nodes: SqlNodeBook
    instances: SqlInstanceBook
    scaling: SqlScalingBook
    leadership: SqlLeadership
    uploads: SqlUploads
    identity: SqlIdentityStore
    store: ArtifactStore
    secret: bytes

    def gateway_parts(
        self, *, instance: str, public_url: str, join: JoinProvider | None = None
    ) -> GatewayParts:
        """Give what a gateway instance works with."""
        settings = self.settings
        return GatewayParts(
            ledger=self.ledger,
            uploads=self.uploads,
            nodes=self.nodes,
            instances=self.instances,
            scaling=self.scaling,
            store=self.store,
            identity=self.identity,
            limiter=open_limiter(settings),
            kinds=catalog(),
            secret=self.secret,
            clock=now,
            version=quetzalcore.__version__,
            join=join,
            data_versions=data_versions(_science(settings)),
            config=GatewayConfig(
                instance=instance,
                public_url=public_url,
                upload_bytes=settings.max_upload_mib * _MIB,
            ),
        )

    def master(self, engine: Engine, companions: Sequence[Companion] = ()) -> Master:
        """Make a master that reaches nodes through this engine, with what runs beside it while it leads."""
        return make_master(
            ledger=self.ledger,
            nodes=self.nodes,
            leadership=self.leadership,
            store=self.store,
            engine=engine,
            clock=now,
            config=_master_config(self.settings),
            uploads=self.uploads,
            cleaning=JanitorConfig(retention=dt.timedelta(days=self.settings.retention_days)),
            companions=companions,
        )


@asynccontextmanager
async def open_platform(settings: Settings, files: HostFiles) -> AsyncIterator[Platform]:
    """Open the database, bring its tables up to date, and open what lies on top; close it all at the end."""
    async with AsyncExitStack() as stack:
        database = await open_database(settings.database_url or files.ledger_url)
        stack.push_async_callback(database.close)
        ledger = await open_ledger(database, quota=_quota(settings))
        identity = await open_identity_store(database)
        stack.push_async_callback(identity.close)
        secret = kept_secret(files.root / "secret", settings.secret_key.get_secret_value()).encode()
        yield Platform(
            settings=settings,
            files=files,
            database=database,
            ledger=ledger,
            nodes=SqlNodeBook(database),
            instances=SqlInstanceBook(database),
            scaling=SqlScalingBook(database),
            leadership=SqlLeadership(database),
            uploads=SqlUploads(database, quota=ledger.quota),
            identity=identity,
            store=_store(settings, files, secret),
            secret=secret,
        )


@asynccontextmanager
async def open_identity(settings: Settings) -> AsyncIterator[SqlIdentityStore]:
    """Open only users and keys."""
    files = HostFiles.of(settings)
    async with AsyncExitStack() as stack:
        database = await open_database(settings.database_url or files.ledger_url)
        stack.push_async_callback(database.close)
        identity = await open_identity_store(database)
        stack.push_async_callback(identity.close)
        yield identity


def open_limiter(settings: Settings) -> RateLimiter:
    """Give the rate limiter, shared through Redis where one is set."""
    return RateLimiter(
        settings.redis_url or "memory://",
        parse_rules({"requests": settings.rate_limit, "login": settings.login_rate_limit}),
        exempt=settings.rate_limit_exempt,
    )


def _master_config(settings: Settings) -> MasterConfig:
    """Give how a master works; leases outlast what the engine takes to notice a dead node."""
    default_s = 30.0 if settings.engine == "ray" else 15.0
    owners = settings.owner_tenants
    if owners is None:
        owners = (FIRST_TENANT,) if settings.env == "development" else ()
    return MasterConfig(
        lease_s=settings.lease_s or default_s,
        admission=AdmissionConfig(max_running=settings.quota_running, owners=frozenset(owners)),
        artifact_bytes=int(settings.quota_artifact_gib * _GIB),
        settings=_science(settings),
    )


def _science(settings: Settings) -> dict[str, str]:
    """Read the operator's own rates and priors, as every task is given them.

    Raises
    ------
    BadParameter
        Naming the file that cannot be read.
    """
    files = {"rates_toml": settings.rates_file, "priors_toml": settings.priors_file}
    found = {}
    for name, path in files.items():
        if path is None:
            continue
        try:
            found[name] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise BadParameter(
                f"the file that {name.removesuffix('_toml')}_file names cannot be read",
                hint="give an existing TOML file",
                where=Where(file=str(path)),
            ) from None
    return found


def _store(settings: Settings, files: HostFiles, secret: bytes) -> ArtifactStore:
    """Open the artifact store; agents on other hosts reach a folder through the gateway."""
    url = settings.artifacts_url or files.artifacts.as_uri()
    return open_store(
        url,
        links=links_for(settings, url, secret=secret),
        access_key_id=settings.s3_access_key_id,
        secret_access_key=settings.s3_secret_access_key.get_secret_value(),
    )


def _quota(settings: Settings) -> Quota:
    return Quota(
        max_queued=settings.quota_queued,
        max_artifact_bytes=int(settings.quota_artifact_gib * _GIB),
        max_upload_bytes=int(settings.quota_upload_gib * _GIB),
    )
