"""Runs one task and tells the host how it ended."""

from __future__ import annotations

import _thread
import os
import sys
from _collections_abc import Mapping as Documents  # ``collections`` costs 3 ms
from _signal import SIGINT, pthread_kill  # type: ignore[import-not-found]  # ``signal``: 10 ms

from quetzalcore.hypervisor.guest.context import context_of
from quetzalcore.hypervisor.guest.output import Capture
from quetzalcore.hypervisor.guest.tiers import seed
from quetzalcore.hypervisor.guest.wire import CHANNEL, encode, write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

__all__ = ["run"]

_LINE_BYTES = 60 << 10
_RESULT_BYTES = (8 << 20) - 256
_CHUNK = 4096
_ORPHANED = 70  # the exit status of a guest whose host is gone


def run(said: Mapping[str, Any]) -> None:
    """Run the task of a ``task`` message and send its end; never raises."""
    channel = _Channel()
    _thread.start_new_thread(_end_with_the_host, (_thread.get_ident(),))
    capture = Capture(channel.log)
    usage: dict[str, object] = {}
    try:
        end = channel.result(_call(said, channel, usage), usage)
    except BaseException as error:  # noqa: BLE001 -- the edge of the VM: the host says it to the owner
        from quetzalcore.hypervisor.guest.failures import failure  # noqa: PLC0415

        end = encode({**failure(error), "vgpu": usage})
        _print_defect(error)
    capture.close()
    channel.send(end)


class _Channel:
    """Messages from any thread of the task, each whole and none longer than the host reads."""

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()

    def send(self, line: bytes) -> None:
        with self._lock:
            write_all(line + b"\n")

    def progress(self, stage: str, fraction: float, message: str = "") -> None:
        self.send(
            encode(
                {
                    "type": "progress",
                    "stage": str(stage)[:200],
                    "fraction": float(fraction),
                    "message": str(message)[:1000],
                }
            )
        )

    def log(self, text: str) -> None:
        self.send(encode({"type": "log", "text": str(text)[: _LINE_BYTES // 12]}))

    def result(self, value: object, usage: dict[str, object]) -> bytes:
        if not isinstance(value, Documents):
            raise TypeError(f"the task gave a {type(value).__name__} instead of a JSON object")
        line = encode({"type": "result", "value": dict(value), "vgpu": usage})
        if len(line) > _RESULT_BYTES:
            from quetzalcore.hypervisor.guest.failures import ResultTooLarge  # noqa: PLC0415

            raise ResultTooLarge(
                f"the result is {len(line) >> 20} MiB of JSON; 8 MiB are allowed",
                hint="write what is large into a file",
            )
        return line


def _call(said: Mapping[str, Any], channel: _Channel, usage: dict[str, object]) -> object:
    module, _, name = said["run"].partition(":")
    __import__(module)
    function: Callable[[object], object] = getattr(sys.modules[module], name)
    context = context_of(said, channel.progress, channel.log)
    seed(said["seed"])
    if "quetzalcore.vgpu" not in sys.modules:
        return function(context)
    from quetzalcore.hypervisor.guest.device import leased  # noqa: PLC0415

    with leased(said["lease"], usage):
        return function(context)


def _end_with_the_host(task_thread: int) -> None:
    """Interrupt the task when the host says so; end at once when the host is gone."""
    try:
        while os.read(CHANNEL, _CHUNK):
            pthread_kill(task_thread, SIGINT)  # wakes it if it sleeps
    except OSError:
        return  # the task has closed the channel itself; the host has seen it
    os._exit(_ORPHANED)


def _print_defect(error: BaseException) -> None:
    if error.__traceback__ is None or getattr(error, "code", None) is not None:
        return
    try:
        sys.excepthook(type(error), error, error.__traceback__)
    except (OSError, ValueError):
        return  # nowhere to print
