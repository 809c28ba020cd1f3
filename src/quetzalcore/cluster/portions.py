"""Messages cut so that each is small enough to be sent: what one tenant asks for or gets must not hold up others."""

from __future__ import annotations

from quetzalcore.cluster.messages import Command, EventBatch, Start

__all__ = ["MOST_BYTES", "commands", "first_events"]

MOST_BYTES = 64 << 20
"""More than any single order or answer is; a connection refuses four times as much."""


def commands(command: Command, *, most: int = MOST_BYTES) -> tuple[bytes, ...]:
    """Give a command as JSON; a long order to start as several, each of as many attempts as fit."""
    whole = command.model_dump_json().encode()
    if len(whole) <= most or not isinstance(command, Start) or len(command.assignments) == 1:
        return (whole,)
    half = len(command.assignments) // 2
    return tuple(
        part
        for some in (command.assignments[:half], command.assignments[half:])
        for part in commands(Start(epoch=command.epoch, assignments=some), most=most)
    )


def first_events(batch: EventBatch, *, most: int = MOST_BYTES) -> bytes:
    """Give as many of the events as JSON as fit, at least the first; the others are asked for again."""
    while True:
        whole = batch.model_dump_json().encode()
        if len(whole) <= most or len(batch.events) <= 1:
            return whole
        batch = EventBatch(events=batch.events[: len(batch.events) // 2], node=batch.node)
