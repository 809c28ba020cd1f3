"""Errors as the failures that a job's owner sees."""

from __future__ import annotations

from quetzalcore.errors import QuetzalError, Retryable, UserMistake
from quetzalcore.jobs.model import Failure, Remedy

__all__ = ["failure_of"]


def failure_of(error: QuetzalError) -> Failure:
    """Put an error into the words of a failure, with the remedy of its branch of the tree."""
    remedy = Remedy.NONE
    if isinstance(error, UserMistake):
        remedy = Remedy.USER
    elif isinstance(error, Retryable):
        remedy = Remedy.RETRY
    return Failure(
        code=error.code, title=error.title, detail=error.detail, hint=error.hint, remedy=remedy
    )
