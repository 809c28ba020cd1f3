"""Nodes, leadership and uploads in memory: for tests, and to compare the real ones with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace

from quetzalcore.jobs.ids import new_id
from quetzalcore.jobs.ledger import Conflict, NotFound, StaleEpoch
from quetzalcore.jobs.model import Node
from quetzalcore.jobs.quota import LEAST_UPLOAD_BYTES, Quota
from quetzalcore.jobs.uploads import Upload, check_room

__all__ = ["MemoryLeadership", "MemoryNodeBook", "MemoryUploads"]


class MemoryLeadership:
    """A ``Leadership``."""

    def __init__(self) -> None:
        self.epoch = 0
        self._holder = ""
        self._until: dt.datetime | None = None

    async def acquire(self, holder: str, *, lease_s: float, now: dt.datetime) -> int | None:
        """Take or renew the lease."""
        if holder != self._holder:
            if self._holder and self._until is not None and self._until > now:
                return None
            self.epoch += 1
        self._holder, self._until = holder, now + dt.timedelta(seconds=lease_s)
        return self.epoch

    async def release(self, holder: str) -> None:
        """Give the lease back."""
        if holder == self._holder:
            self._holder, self._until = "", None

    def check(self, epoch: int) -> None:
        """Raise ``StaleEpoch`` unless this epoch leads."""
        if epoch != self.epoch or not epoch:
            raise StaleEpoch(f"epoch {epoch} does not lead, the ledger knows epoch {self.epoch}")


class MemoryNodeBook:
    """A ``NodeBook``."""

    def __init__(self, leadership: MemoryLeadership) -> None:
        self._leadership = leadership
        self._nodes: dict[str, Node] = {}

    async def put(self, nodes: Sequence[Node], *, epoch: int) -> None:
        """Write the nodes that exist now."""
        self._leadership.check(epoch)
        known = self._nodes
        self._nodes = {
            node.id: replace(
                node, draining=known[node.id].draining if node.id in known else node.draining
            )
            for node in nodes
        }

    async def list(self) -> tuple[Node, ...]:
        """Give the nodes as last written."""
        return tuple(node for _, node in sorted(self._nodes.items()))

    async def drain(self, node_id: str, *, draining: bool) -> None:
        """Ask that nothing new starts on a node, or take that back."""
        if node_id not in self._nodes:
            raise NotFound(f"there is no node {node_id!r}")
        self._nodes[node_id] = replace(self._nodes[node_id], draining=draining)


class MemoryUploads:
    """An ``UploadBook``; ``is_read`` says whether a job refers to a key."""

    def __init__(self, is_read: Callable[[str], bool], *, quota: Quota | None = None) -> None:
        self._is_read = is_read
        self._quota = quota or Quota()
        self._uploads: dict[str, Upload] = {}

    async def create(
        self, *, tenant: str, user: str, filename: str, declared_size: int | None, now: dt.datetime
    ) -> Upload:
        """Begin an upload."""
        self._check(tenant, max(LEAST_UPLOAD_BYTES, declared_size or 0))
        upload = Upload(
            id=new_id(now),
            tenant=tenant,
            user=user,
            filename=filename,
            declared_size=declared_size,
            created_at=now,
            touched_at=now,
        )
        self._uploads[upload.id] = upload
        return upload

    async def get(self, upload_id: str, *, tenant: str) -> Upload:
        """Give an upload."""
        upload = self._uploads.get(upload_id)
        if upload is None or upload.tenant != tenant:
            raise NotFound(f"there is no upload {upload_id!r}")
        return upload

    async def advance(
        self, upload_id: str, *, tenant: str, offset: int, received: int, now: dt.datetime
    ) -> Upload:
        """Say how much is there now."""
        upload = await self.get(upload_id, tenant=tenant)
        if upload.complete or upload.received != offset:
            raise Conflict(f"upload {upload_id} has {upload.received} bytes, not {offset}")
        self._check(tenant, max(LEAST_UPLOAD_BYTES, received) - max(LEAST_UPLOAD_BYTES, offset))
        self._uploads[upload_id] = replace(upload, received=received, touched_at=now)
        return self._uploads[upload_id]

    async def finish(
        self, upload_id: str, *, tenant: str, sha256: str, key: str, now: dt.datetime
    ) -> Upload:
        """Say where the whole file is."""
        upload = await self.get(upload_id, tenant=tenant)
        if not upload.complete:
            upload = replace(upload, sha256=sha256, key=key, touched_at=now)
            self._uploads[upload_id] = upload
        if (upload.key, upload.sha256) != (key, sha256):
            raise Conflict(f"upload {upload_id} is complete with other contents")
        return upload

    def _check(self, tenant: str, more: int) -> None:
        theirs = (upload for upload in self._uploads.values() if upload.tenant == tenant)
        kept = sum(max(LEAST_UPLOAD_BYTES, upload.received) for upload in theirs)
        check_room(self._quota, tenant, kept=kept + more)

    async def abandoned(self, *, before: dt.datetime, limit: int) -> tuple[Upload, ...]:
        """Give old uploads that no job reads."""
        old = [
            upload
            for upload in self._uploads.values()
            if upload.touched_at < before and not (upload.key and self._is_read(upload.key))
        ]
        return tuple(sorted(old, key=lambda upload: upload.touched_at)[:limit])

    async def delete(self, upload_id: str) -> None:
        """Forget an upload."""
        self._uploads.pop(upload_id, None)
