"""A task function whose module imports nothing: it is given the likeness of a ``TaskContext``."""

from __future__ import annotations


def see(task):  # noqa: ANN201 -- the point is to import nothing
    task.output.joinpath("made").write_text("x")
    return {
        "kind": type(task).__name__,
        "inputs": {name: path.read_text() for name, path in task.inputs.items()},
        "params": task.params,
        "year": task.now().year,
        "seed": task.seed,
        "cores": task.cores,
        "memory_mib": task.memory_mib,
        "stage": task.stage,
        "settings": task.settings,
    }
