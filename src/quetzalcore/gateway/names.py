"""Names that came from outside, made harmless or refused before they reach a store or a ledger."""

from __future__ import annotations

import json
import re
import unicodedata

from quetzalcore.errors import BadParameter
from quetzalcore.jobs.ledger import NotFound

__all__ = ["checked_id", "checked_name", "checked_text", "missing", "safe_filename"]

_ID = re.compile(r"[0-9a-z]{1,40}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:-]{0,127}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._ -]+")
_LONGEST = 128


def safe_filename(given: str) -> str:
    """Give the last part of a file name with harmless characters only; never empty, never hidden."""
    last = unicodedata.normalize("NFKC", given).replace("\\", "/").rsplit("/", 1)[-1]
    name = _UNSAFE.sub("_", last).strip(" .")
    if len(name) > _LONGEST:
        stem, dot, suffix = name.rpartition(".")
        keep = len(dot + suffix) if stem and len(suffix) < 16 else 0  # noqa: PLR2004 -- a suffix, not a sentence
        name = (stem or name)[: _LONGEST - keep] + (dot + suffix if keep else "")
    return name.lstrip("-. ") or "upload"


def checked_id(given: str, what: str) -> str:
    """Give an id that has the shape of one; any other names nothing.

    Raises
    ------
    NotFound
        In the same words as for an id that does not exist.
    """
    if not _ID.fullmatch(given):
        raise missing(what)
    return given


def missing(what: str) -> NotFound:
    """Give the error for a thing that is not there, or not for this tenant: nobody can tell which."""
    return NotFound(f"there is no such {what}", hint="check the id, and whose it is")


def checked_text(body: bytes) -> None:
    """Refuse JSON texts that no database keeps: with NUL, or half a surrogate pair.

    Raises
    ------
    BadParameter
    """
    if b"\\u" not in body:
        return
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False)
    except (ValueError, RecursionError):
        return  # whoever parses it says what is wrong
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadParameter(
            "a text holds half of a surrogate pair", hint="send whole characters"
        ) from None
    if "\\u0000" in text:
        raise BadParameter("a text holds a NUL character", hint="remove it")


def checked_name(given: str, what: str) -> str:
    """Give the name of a node, user or key if it could be one; any other names nothing.

    Raises
    ------
    NotFound
    """
    if not _NAME.fullmatch(given):
        raise missing(what)
    return given
