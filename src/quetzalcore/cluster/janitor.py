"""Deletes what is kept no longer: ended jobs, files that nothing refers to or ever will, uploads that nobody used."""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass

from quetzalcore.cluster.orders import attempt_prefix
from quetzalcore.errors import Permanent, Retryable
from quetzalcore.jobs.artifacts import ArtifactStore
from quetzalcore.jobs.ledger import JobLedger
from quetzalcore.jobs.upload_parts import delete_bytes
from quetzalcore.jobs.uploads import UploadBook

__all__ = ["Janitor", "JanitorConfig"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class JanitorConfig:
    """How long things are kept, and how often that is looked at.

    ``dead`` is how long the files of an attempt without success are left alone after its end. Its agent
    ends it before its lease does, and its links end within ``MasterConfig.link_s``: ``dead`` is that many
    times over, so that a put that began in time has ended too.
    """

    retention: dt.timedelta = dt.timedelta(days=90)
    dead: dt.timedelta = dt.timedelta(hours=6)
    uploads: dt.timedelta = dt.timedelta(days=2)
    every_s: float = 600.0
    batch: int = 200


class Janitor:
    """Works only under a leader's epoch."""

    def __init__(
        self,
        ledger: JobLedger,
        store: ArtifactStore,
        config: JanitorConfig,
        *,
        clock: Callable[[], dt.datetime],
        uploads: UploadBook | None = None,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._config = config
        self._clock = clock
        self._uploads = uploads
        self._owed: list[str] = []  # keys that the ledger has given, not deleted yet

    async def run(self, epoch: int) -> None:
        """Clean up now and then, until cancelled or deposed."""
        while True:
            await asyncio.sleep(self._config.every_s)
            try:
                await self.clean(epoch)
            except (Retryable, Permanent) as error:
                log.warning("%s; cleaning up later", error)

    async def clean(self, epoch: int) -> None:
        """Delete everything that is due; what a crash leaves undone is found again next time."""
        await self._forget_jobs(epoch)
        await self._sweep_attempts(epoch)
        await self._drop_uploads()

    async def _forget_jobs(self, epoch: int) -> None:
        before = self._clock() - self._config.retention
        while True:
            while self._owed:  # asking the ledger again says that these are gone
                await self._store.delete(self._owed[-1])
                self._owed.pop()
            forgotten = await self._ledger.forget(
                before=before, limit=self._config.batch, epoch=epoch
            )
            self._owed += forgotten.keys
            if not forgotten.jobs and not self._owed:  # most jobs have no files
                return

    async def _sweep_attempts(self, epoch: int) -> None:
        """Delete what attempts without success have put: reported or not, whoever died meanwhile."""
        before = self._clock() - self._config.dead
        while dead := await self._ledger.unswept(before=before, limit=self._config.batch):
            for attempt in dead:
                await self._store.clear(attempt_prefix(attempt))
            await self._ledger.swept([attempt.attempt_id for attempt in dead], epoch=epoch)

    async def _drop_uploads(self) -> None:
        if self._uploads is None:
            return
        before = self._clock() - self._config.uploads
        while old := await self._uploads.abandoned(before=before, limit=self._config.batch):
            for upload in old:
                await delete_bytes(self._store, upload)
                await self._uploads.delete(upload.id)
