"""What a task is given: a ``TaskContext``, or its likeness where that was not imported."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Any

    from quetzalcore.workloads.task import TaskContext

__all__ = ["LightContext", "context_of"]


class LightContext:
    """A ``TaskContext`` for a module that does not import it: half the cost of a bare start.

    ``dataclasses``, ``pathlib`` and ``datetime`` are imported when a field that needs them is read.
    """

    __slots__ = ("_folders", "_inputs", "cores", "log", "memory_mib", "params", "progress", "seed",
                 "settings", "stage")  # fmt: skip

    def __init__(
        self,
        said: Mapping[str, Any],
        folders: tuple[str, str],
        progress: Callable[..., None],
        log: Callable[[str], None],
    ) -> None:
        self._folders = folders
        self._inputs = said["inputs"]
        self.params = said["params"]
        self.progress = progress
        self.log = log
        self.cores = said["lease"]["cores"]
        self.memory_mib = said["lease"]["memory_mib"]
        self.stage = said["stage"]
        self.seed = said["seed"]
        self.settings = said["settings"]

    @property
    def inputs(self) -> Mapping[str, Path]:
        """Give the input files by name."""
        from pathlib import Path  # noqa: PLC0415 -- 5 ms

        return {name: Path(self._folders[0], name) for name in self._inputs}

    @property
    def output(self) -> Path:
        """Give the output folder."""
        from pathlib import Path  # noqa: PLC0415 -- 5 ms

        return Path(self._folders[1])

    @property
    def now(self) -> Callable[[], dt.datetime]:
        """Give the clock."""
        return _full(self).now


def context_of(
    said: Mapping[str, Any], progress: Callable[..., None], log: Callable[[str], None]
) -> TaskContext | LightContext:
    """Give the task's context; its output folder exists."""
    roots = (os.environ.get("QUETZAL_IN", "/in"), os.environ.get("QUETZAL_OUT", "/out"))  # noqa: TID251 -- the guest is a process's edge
    folders = (f"{roots[0]}/{said['folder']}", f"{roots[1]}/{said['folder']}")
    if said["folder"]:
        os.makedirs(folders[1], exist_ok=True)  # noqa: PTH103 -- a forked task's own; pathlib costs 5 ms
    light = LightContext(said, folders, progress, log)
    return _full(light) if "quetzalcore.workloads.task" in sys.modules else light


def _full(light: LightContext) -> TaskContext:
    from quetzalcore.workloads.task import TaskContext  # noqa: PLC0415 -- loaded by the task's module

    return TaskContext(
        params=light.params,
        inputs=light.inputs,
        output=light.output,
        progress=light.progress,
        log=light.log,
        cores=light.cores,
        memory_mib=light.memory_mib,
        stage=light.stage,
        seed=light.seed,
        settings=light.settings,
    )
