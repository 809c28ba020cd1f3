"""A task that does what its parameters say, for real: what the fake runtime's guests pretend to do."""

from __future__ import annotations

import os
import time

from quetzalcore.errors import Permanent, Retryable, UserMistake

_FAILURES = {"user": UserMistake, "retry": Retryable, "none": Permanent}


def run(task):  # noqa: ANN201 -- of any likeness of a context
    params = task.params
    time.sleep(params.get("sleep_s", 0.0))
    if "exit" in params:
        os._exit(params["exit"])
    if "fail" in params:
        raise _FAILURES[params["fail"]]("the task was told to fail")
    for name, text in params.get("products", {}).items():
        (task.output / name).parent.mkdir(parents=True, exist_ok=True)
        (task.output / name).write_text(text)
    read = {name: path.read_text() for name, path in task.inputs.items()}
    return {"echo": params.get("echo", ""), **read}
