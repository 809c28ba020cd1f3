"""Which keys are safe in every store: in a folder, in a bucket and in a URL."""

from __future__ import annotations

import re
import unicodedata

from quetzalcore.errors import BadParameter

__all__ = ["LONGEST_KEY_BYTES", "LONGEST_SEGMENT_BYTES", "checked_key", "checked_prefix"]

LONGEST_KEY_BYTES = 900  # S3 allows 1,024 with the store's own prefix
LONGEST_SEGMENT_BYTES = 200  # file systems allow 255; writers add to names for a while
_TEMPORARY = re.compile(r"#\d+\Z")  # obstore hides such names in folders: it writes to them first
_DRIVE = re.compile(
    r"[A-Za-z][:|]\Z"
)  # file URLs, which obstore uses inside, take these for drives
_HINT = "use letters, digits, '.', '-', '_' and '/' between names, without '..' or a leading '.'"


def checked_key(key: str) -> str:
    """Give the key back if it names one file below the store's root and nothing else.

    Names that begin with a dot are reserved for files that are still being written.

    Raises
    ------
    BadParameter
        Saying what is wrong with it.
    """
    fault = _fault(key)
    if fault:
        raise BadParameter(f"the file name {key[:200]!r} {fault}", hint=_HINT)
    return key


def checked_prefix(prefix: str) -> str:
    """Give the prefix without slashes at its end if it is empty or could be part of a key."""
    bare = prefix.rstrip("/")
    return checked_key(bare) if bare or prefix else ""


def _fault(key: str) -> str:
    """Say what is wrong with a whole key, or nothing."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "is not valid Unicode"
    if size > LONGEST_KEY_BYTES:
        return f"is {size} bytes long, more than {LONGEST_KEY_BYTES}"
    if not key.isprintable() or unicodedata.normalize("NFC", key) != key:
        return "holds control characters or letters that are not in normal form C"
    if "\\" in key:
        return "holds a backslash"
    return next(filter(None, map(_segment_fault, key.split("/"))), "")


def _segment_fault(segment: str) -> str:
    """Say what is wrong with one name of the path, or nothing."""
    if not segment:
        return "is empty, absolute or holds an empty part"
    if segment.startswith("."):
        return "holds a part that begins with '.'"
    if len(segment.encode()) > LONGEST_SEGMENT_BYTES:
        return f"holds a part longer than {LONGEST_SEGMENT_BYTES} bytes"
    if _TEMPORARY.search(segment):
        return "holds a part that ends like a temporary file ('#' and digits)"
    if _DRIVE.search(segment):
        return "holds a part that ends like a drive (a letter and ':' or '|')"
    return ""
