"""The job that does nothing, for measuring the platform."""

from __future__ import annotations

import time

TYPE_CHECKING = False  # as type checkers read it: this job imports nothing that it does not need
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from quetzalcore.workloads.task import TaskContext

__all__ = ["run"]


def run(task: TaskContext) -> Mapping[str, Any]:
    """Sleep if asked to, and give ``echo`` back."""
    if task.params["sleep_s"]:
        time.sleep(task.params["sleep_s"])
    return {"echo": task.params["echo"]}
