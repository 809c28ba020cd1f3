"""What an agent's report means to the state machine."""

from __future__ import annotations

from quetzalcore.errors import Permanent
from quetzalcore.jobs.failures import NODE_LOST, STOPPED, UNEXPLAINED
from quetzalcore.jobs.ledger import Report, ReportKind
from quetzalcore.jobs.state import CancelConfirmed, Event, Failed, Lost, Renewed, Started, Succeeded

__all__ = ["event_of"]


def event_of(report: Report) -> Event:
    """Give the event of a report that is more than words for the watchers."""
    match report.kind:
        case ReportKind.STARTED:
            return Started(attempt_id=report.attempt_id)
        case ReportKind.ALIVE:
            return Renewed(attempt_id=report.attempt_id)
        case ReportKind.SUCCEEDED:
            return Succeeded(attempt_id=report.attempt_id)
        case ReportKind.FAILED:
            return Failed(attempt_id=report.attempt_id, failure=report.failure or UNEXPLAINED)
        case ReportKind.CANCELLED:
            return CancelConfirmed(attempt_id=report.attempt_id, failure=report.failure or STOPPED)
        case ReportKind.LOST:
            return Lost(attempt_id=report.attempt_id, failure=report.failure or NODE_LOST)
        case _:
            raise Permanent(
                f"{report.kind!r} is no kind of report", hint="use a constant of ReportKind"
            )
