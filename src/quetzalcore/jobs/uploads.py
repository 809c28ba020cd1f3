"""The seam through which uploads are followed, from the first byte to the file that a job reads."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

from quetzalcore.jobs.ledger import QuotaExceeded
from quetzalcore.jobs.quota import Quota

__all__ = ["Upload", "UploadBook", "check_room"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file on its way in. ``key`` names it in the artifact store once it is ``complete``, else empty.

    ``declared_size`` is None where the sender did not say; ``touched_at`` is when its last bytes came.
    """

    id: str
    tenant: str
    user: str
    filename: str
    declared_size: int | None
    created_at: dt.datetime
    touched_at: dt.datetime
    received: int = 0
    sha256: str = ""
    key: str = ""

    @property
    def complete(self) -> bool:
        """Whether all of it is in the artifact store."""
        return bool(self.key)


def check_room(quota: Quota, tenant: str, *, kept: int) -> None:
    """Refuse if a tenant's uploads would take more bytes than they may.

    Raises
    ------
    QuotaExceeded
    """
    most = quota.max_upload_bytes
    if most is not None and kept > most:
        raise QuotaExceeded(
            f"the uploads of {tenant} would take {kept} bytes and may take {most}",
            hint="wait until old ones are deleted, or ask the operator for more room",
        )


class UploadBook(Protocol):
    """What is known of uploads; their bytes are elsewhere."""

    async def create(
        self, *, tenant: str, user: str, filename: str, declared_size: int | None, now: dt.datetime
    ) -> Upload:
        """Begin an upload of no bytes yet; ``QuotaExceeded``."""
        ...

    async def get(self, upload_id: str, *, tenant: str) -> Upload:
        """Give an upload; ``NotFound`` across the tenant's wall."""
        ...

    async def advance(
        self, upload_id: str, *, tenant: str, offset: int, received: int, now: dt.datetime
    ) -> Upload:
        """Say that ``received`` bytes are there now, where ``offset`` were before.

        ``Conflict`` if the offset is not what is known (another request was faster), or if it is complete;
        ``QuotaExceeded`` if the tenant may keep no more.
        """
        ...

    async def finish(
        self, upload_id: str, *, tenant: str, sha256: str, key: str, now: dt.datetime
    ) -> Upload:
        """Say that the whole file lies under ``key``; again with the same key changes nothing, else ``Conflict``."""
        ...

    async def abandoned(self, *, before: dt.datetime, limit: int) -> tuple[Upload, ...]:
        """Give uploads not touched since a time that no job reads, complete or not, oldest first."""
        ...

    async def delete(self, upload_id: str) -> None:
        """Forget an upload; nothing happens if it is not there. The caller removes the bytes first."""
        ...
