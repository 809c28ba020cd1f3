"""Failures that are found from outside an attempt, in the words that a job's owner sees."""

from __future__ import annotations

from quetzalcore.jobs.model import Failure, Remedy

__all__ = ["NODE_LOST", "STOPPED", "UNEXPLAINED"]

NODE_LOST = Failure(
    code="node_lost",
    title="The worker was lost",
    detail="the worker that ran the job was not heard of any more",
    hint="the job is tried again on its own; if this was its last attempt, retry it",
    remedy=Remedy.RETRY,
)
STOPPED = Failure(
    code="stopped",
    title="The attempt was stopped",
    detail="the worker stopped the attempt before its end",
    hint="the job is tried again on its own; if this was its last attempt, retry it",
    remedy=Remedy.RETRY,
)
UNEXPLAINED = Failure(
    code="failed",
    title="The work failed",
    detail="the attempt failed and its worker did not say why",
    hint="look at the job's log",
    remedy=Remedy.NONE,
)
