"""An exception as the message that tells the job's owner; imported only when a task has failed."""

from __future__ import annotations

import errno
from dataclasses import asdict
from typing import Any

from quetzalcore.errors import QuetzalError, Retryable, UserMistake

__all__ = ["ResultTooLarge", "failure"]

_LONGEST = 3000  # characters; a message is at most 64 KiB with every character escaped


class ResultTooLarge(UserMistake):
    """A task's result is more than a document may hold."""

    code = "result_too_large"
    title = "The result is too large"


def failure(error: BaseException) -> dict[str, Any]:
    """Say in the words of ``quetzalcore.errors`` why the task ended."""
    if isinstance(error, QuetzalError):
        return _on_purpose(error)
    if isinstance(error, MemoryError):
        return _said(
            "out_of_memory",
            "The job ran out of memory",
            "the task could not get more memory",
            hint="ask for more memory_mib",
            remedy="retry",
        )
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
        return _said(
            "scratch_full",
            "The job filled its scratch space",
            "the task wrote more files than its scratch_mib hold",
            hint="ask for more scratch_mib",
            remedy="user",
        )
    return _defect(error)


def _defect(error: BaseException) -> dict[str, Any]:
    if isinstance(error, SystemExit):
        detail = f"the task called sys.exit({error.code!r}) instead of returning a result"
    else:
        detail = f"{type(error).__name__}: {error}"
    return _said("defect", "The task failed", detail, hint="report it with the job's log")


def _on_purpose(error: QuetzalError) -> dict[str, Any]:
    remedy = "none"
    if isinstance(error, UserMistake):
        remedy = "user"
    elif isinstance(error, Retryable):
        remedy = "retry"
    said = _said(error.code, error.title, error.detail, hint=error.hint, remedy=remedy)
    if error.where is not None:
        said["where"] = {
            name: value[:_LONGEST] if isinstance(value, str) else value
            for name, value in asdict(error.where).items()
            if value is not None
        }
    return said


def _said(
    code: str, title: str, detail: str, *, hint: str = "", remedy: str = "none"
) -> dict[str, Any]:
    return {
        "type": "error",
        "code": code,
        "title": title[:_LONGEST],
        "detail": detail[:_LONGEST],
        "hint": hint[:_LONGEST],
        "remedy": remedy,
    }
