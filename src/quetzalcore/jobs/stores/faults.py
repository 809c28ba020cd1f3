"""What can go wrong with a store, in words, and how errors of the system and of S3 map to it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import (
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from quetzalcore.errors import BadParameter, Permanent, QuetzalError, Retryable
from quetzalcore.jobs.ledger import NotFound

__all__ = ["StorageFull", "StoreRefused", "StoreUnavailable", "as_ours", "missing", "translated"]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_CLASH = frozenset({errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY})
_FULL_AT_S3 = ("507 Insufficient Storage", "XMinioStorageFull", "QuotaExceeded", "EntityTooLarge")
_REFUSED_BY_S3 = (
    "401 Unauthorized",
    "403 Forbidden",
)  # a writer's errors have no type of their own
_OF_A_FOLDER = re.compile(r"LocalFileSystem.*\(os error (\d+)\)")
_LONGEST_QUOTE = 300


class StorageFull(Retryable):
    """There is no room for the file; nothing of it was kept."""

    code = "storage_full"
    title = "The artifact store is full"


class StoreUnavailable(Retryable):
    """The store cannot be reached or does not answer as it should."""

    code = "store_unavailable"
    title = "The artifact store cannot be reached"


class StoreRefused(Permanent):
    """The store does not let us in: wrong credentials, permissions or bucket."""

    code = "store_refused"
    title = "The artifact store refuses access"


def missing(key: str) -> NotFound:
    """Say that there is no such file."""
    return NotFound(f"there is no file {key!r} in the artifact store")


@contextmanager
def translated(place: str, key: str = "") -> Iterator[None]:
    """Turn errors of the system and of obstore into ours; ``place`` names the store for the operator."""
    try:
        yield
    except (OSError, BaseError) as error:
        raise as_ours(error, place, key) from error


def as_ours(error: OSError | BaseError, place: str, key: str = "") -> QuetzalError:
    """Say what an error means to whoever asked for a file."""
    if isinstance(error, FileNotFoundError):
        return _not_there(error, place, key)
    if isinstance(error, OSError) and error.errno is not None:
        return _from_system(error, place, key)
    local = _OF_A_FOLDER.search(str(error))
    if local:
        return _from_reading(int(local[1]), place, key)
    if isinstance(error, PreconditionError):
        return StoreUnavailable(f"{key!r} was replaced while it was read", hint="read it again")
    return _from_s3(error, place)


def _not_there(error: FileNotFoundError, place: str, key: str) -> QuetzalError:
    """Tell a missing file from a missing bucket or folder."""
    if "NoSuchBucket" in str(error):
        return StoreRefused(f"{place} has no such bucket", hint="create it or correct its name")
    if key and error.errno is None:  # obstore's; the system's own mean that the root is gone
        return missing(key)
    return StoreUnavailable(f"{place} is not there", hint="check that the folder is mounted")


def _from_system(error: OSError, place: str, key: str) -> QuetzalError:
    """Sort an error of the file system."""
    said = error.strerror or str(error)
    if error.errno in _CLASH:
        return BadParameter(
            f"the file name {key!r} is, or goes through, a name used otherwise ({said})",
            hint="choose a name that is not the folder of another file, nor inside another file",
        )
    if error.errno in _FULL:
        return StorageFull(f"no room in {place} ({said})", hint="make room, then try again")
    if error.errno in _REFUSED:
        return StoreRefused(
            f"{place} may not be used ({said})", hint="let the platform's user read and write there"
        )
    return StoreUnavailable(f"{place} failed ({said})", hint="check the disk, then try again")


def _from_reading(number: int, place: str, key: str) -> QuetzalError:
    """Sort an error of the file system that obstore met; it gives the number only within its words."""
    if number in _CLASH:
        return missing(key)
    return _from_system(OSError(number, os.strerror(number)), place, key)


def _from_s3(error: Exception, place: str) -> QuetzalError:
    """Sort an answer, or its absence, of a server that speaks S3."""
    said = str(error).split("\n", 1)[0][:_LONGEST_QUOTE]
    if any(word in str(error) for word in _FULL_AT_S3):
        return StorageFull(f"no room in {place} ({said})", hint="make room, then try again")
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or any(
        word in said for word in _REFUSED_BY_S3
    ):
        return StoreRefused(
            f"{place} refuses our credentials ({said})",
            hint="check the access key, its policy and the clock",
        )
    return StoreUnavailable(
        f"{place} does not answer ({said})", hint="check the endpoint and the network"
    )
