"""How much a task may say: what exceeds is left out with one clear note, decided without a clock."""

from __future__ import annotations

from dataclasses import dataclass, replace

from quetzalcore.hypervisor.protocol import Logged, Progressed

__all__ = ["Flow", "Said", "admit"]

LOG_BYTES = 1 << 20
_LOG_LINES_S, _LOG_BURST = 200.0, 2000.0
_PROGRESS_S, _PROGRESS_BURST = 20.0, 50.0

Said = Logged | Progressed

_TOO_MUCH = Logged(
    level="warning",
    text=f"From here on lines are left out: a task may write {LOG_BYTES >> 20} MiB.",
)
_TOO_FAST = Logged(
    level="warning",
    text=f"Some lines are left out: a task may write {_LOG_LINES_S:.0f} lines a second.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What a task may still say. ``waiting`` is the newest progress that came too fast."""

    at_s: float
    log_bytes: int = LOG_BYTES
    log_lines: float = _LOG_BURST
    steps: float = _PROGRESS_BURST
    hurried: bool = False  # the note on too many lines a second was given
    waiting: Progressed | None = None


def admit(flow: Flow, said: Said, now_s: float) -> tuple[Flow, tuple[Said, ...]]:
    """Give what of this the watchers hear, and what is left to say."""
    elapsed = max(0.0, now_s - flow.at_s)
    flow = replace(
        flow,
        at_s=max(now_s, flow.at_s),
        log_lines=min(_LOG_BURST, flow.log_lines + elapsed * _LOG_LINES_S),
        steps=min(_PROGRESS_BURST, flow.steps + elapsed * _PROGRESS_S),
    )
    return _step(flow, said) if isinstance(said, Progressed) else _line(flow, said)


def _step(flow: Flow, step: Progressed) -> tuple[Flow, tuple[Said, ...]]:
    if flow.steps < 1:
        return replace(flow, waiting=step), ()
    return replace(flow, steps=flow.steps - 1, waiting=None), (step,)


def _line(flow: Flow, line: Logged) -> tuple[Flow, tuple[Said, ...]]:
    size = len(line.text.encode(errors="replace")) + 1
    if flow.log_bytes <= 0:
        return flow, ()
    if size > flow.log_bytes:
        return replace(flow, log_bytes=0), (_TOO_MUCH,)
    if flow.log_lines < 1:
        return replace(flow, hurried=True), () if flow.hurried else (_TOO_FAST,)
    return replace(flow, log_bytes=flow.log_bytes - size, log_lines=flow.log_lines - 1), (line,)
