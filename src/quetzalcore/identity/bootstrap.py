"""The first start: one administrator with a random password and key, shown once and kept in a file."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from quetzalcore.errors import BadOutput, BadParameter, Where
from quetzalcore.identity.model import Role
from quetzalcore.identity.store import IdentityStore

__all__ = ["CREDENTIALS_FILE", "FIRST_TENANT", "AdminCredentials", "bootstrap"]

CREDENTIALS_FILE = "admin-credentials"
_NAME = "admin"
FIRST_TENANT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminCredentials:
    """What the first administrator logs in with; to be shown once."""

    user: str
    password: str
    key_id: str
    key: str
    file: Path

    def __repr__(self) -> str:
        """Name the user only: a log may print this."""
        return f"AdminCredentials(user={self.user!r})"


async def bootstrap(
    store: IdentityStore, folder: Path, *, now: dt.datetime
) -> AdminCredentials | None:
    """Make the user ``admin`` unless there is an administrator; None if nothing was made.

    Of several instances that start together one makes it. The file has mode 0600 from its first byte on;
    it holds the password before the user exists, so that no crash leaves an administrator nobody knows.

    Raises
    ------
    BadOutput
        If the file cannot be written; then nothing was made.
    """
    if any(user.role is Role.ADMIN for user in await store.users()):
        return None
    password = secrets.token_urlsafe(24)
    with _private_draft(folder) as draft:
        _write(draft, f"user = {_NAME}\npassword = {password}\n")
        try:
            await store.add_user(
                _NAME, tenant=FIRST_TENANT, role=Role.ADMIN, password=password, now=now
            )
        except BadParameter:  # another instance was faster
            return None
        key, secret = await store.create_key(_NAME, label="first start", now=now)
        _write(draft, f"key_id = {key.id}\nkey = {secret}\n")
        file = folder / CREDENTIALS_FILE
        draft.replace(file)
        _sync(folder)
    await store.audit(None, "admin.created", _NAME, now=now)
    return AdminCredentials(user=_NAME, password=password, key_id=key.id, key=secret, file=file)


@contextlib.contextmanager
def _private_draft(folder: Path) -> Iterator[Path]:
    """Give a new file that only we may read; it goes if it was not renamed."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{CREDENTIALS_FILE}-", dir=folder)
        os.close(descriptor)
        draft = Path(name)
        try:
            yield draft
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise BadOutput(
            f"the first administrator's credentials cannot be kept ({error.strerror or error})",
            hint="let the platform write to its data folder",
            where=Where(file=str(folder / CREDENTIALS_FILE)),
        ) from error


def _write(path: Path, text: str) -> None:
    """Append and make durable."""
    with path.open("a") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make the folder's names durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
