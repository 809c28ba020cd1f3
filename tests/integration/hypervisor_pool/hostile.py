# ruff: noqa: ANN401, BLE001, NPY002, PLC0415, PTH208, S112, S311, S605, S606, T201 -- hostile on purpose
"""Task functions that a VM is asked to run: kind ones, clumsy ones and hostile ones."""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any, NoReturn

from quetzalcore.errors import BadTable, Retryable, Where
from quetzalcore.workloads.task import TaskContext

HERE = __name__


def see(task: TaskContext) -> Mapping[str, Any]:
    return {
        "params": dict(task.params),
        "inputs": {name: path.read_text() for name, path in task.inputs.items()},
        "output": os.listdir(task.output),
        "cores": task.cores,
        "memory_mib": task.memory_mib,
        "stage": task.stage,
        "seed": task.seed,
        "settings": dict(task.settings or {}),
        "drawn": random.random(),
        "environment": dict(os.environ),
        "pid": os.getpid(),
    }


def write(task: TaskContext) -> Mapping[str, Any]:
    (task.output / "maps").mkdir()
    (task.output / "maps" / "tmi.csv").write_text("easting,northing,tmi\n")
    (task.output / "note.txt").write_text(task.params.get("note", "hello"))
    return {"files": 2}


def tell(task: TaskContext) -> Mapping[str, Any]:
    task.progress("gridding", 0.5, "half way")
    task.log("a line of the log")
    print("printed by Python")
    sys.stdout.flush()
    os.write(2, b"written to descriptor 2\n")
    os.system("echo said by a child")
    task.progress("gridding", 1.0)
    return {}


def sleep(task: TaskContext) -> Mapping[str, Any]:
    task.log("asleep")
    time.sleep(task.params["s"])
    return {}


def count_pairs(task: TaskContext) -> Mapping[str, Any]:
    import numpy as np

    from quetzalcore.vgpu import worker_count

    return {"workers": worker_count(), "drawn": float(np.random.random())}


def user_mistake(_: TaskContext) -> NoReturn:
    raise BadTable("column tmi is missing", hint="name it", where=Where(file="a.csv", row=7))


def retryable(_: TaskContext) -> NoReturn:
    raise Retryable("the moon is not full", hint="wait")


def no_memory(_: TaskContext) -> NoReturn:
    raise MemoryError


def no_space(_: TaskContext) -> NoReturn:
    raise OSError(28, "No space left on device")


def defect(_: TaskContext) -> NoReturn:
    raise ZeroDivisionError("a planned defect")


def not_json(task: TaskContext) -> Mapping[str, Any]:
    return {"value": {"nan": float("nan"), "set": {1}}[task.params["what"]]}


def no_mapping(_: TaskContext) -> Any:
    return 7


def exits(_: TaskContext) -> NoReturn:
    sys.exit(3)


def exits_at_once(_: TaskContext) -> NoReturn:
    os._exit(5)


def crashes(_: TaskContext) -> Mapping[str, Any]:
    ctypes.string_at(0)
    return {}


def kills_itself(_: TaskContext) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    os._exit(128 + signal.SIGKILL)  # the first process of a namespace cannot be killed from within


def writes_nonsense(_: TaskContext) -> Mapping[str, Any]:
    os.write(3, b"\x80\x04 a pickle, perhaps\n")
    time.sleep(60)
    return {}


def floods_with_progress(task: TaskContext) -> Mapping[str, Any]:
    for i in range(task.params["n"]):
        task.progress("flood", i / task.params["n"])
    task.progress("flood", 1.0)
    return {"told": task.params["n"]}


def prints_much(task: TaskContext) -> Mapping[str, Any]:
    line = b"x" * 1023 + b"\n"
    for _ in range(task.params["mib"]):
        os.write(1, line * 1024)
    return {"printed": task.params["mib"]}


def giant_result(_: TaskContext) -> Mapping[str, Any]:
    return {"giant": "x" * (9 << 20)}


def giant_line(_: TaskContext) -> Mapping[str, Any]:
    start = b'{"type":"result","value":{"a":"'
    os.write(3, start)
    while True:
        os.write(3, b"a" * (1 << 20))


def two_results(_: TaskContext) -> Mapping[str, Any]:
    os.write(3, b'{"type":"result","value":{"which":"first"}}\n')
    time.sleep(60)
    return {"which": "second"}


def leaves_children(task: TaskContext) -> Mapping[str, Any]:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            (task.output / "left").touch()
            os.execv("/bin/sleep", ["sleep", task.params["s"]])
        os._exit(0)
    while not (task.output / "left").exists():
        time.sleep(0.01)
    return {}


def hangs_up(_: TaskContext) -> Mapping[str, Any]:
    os.close(3)
    return {}


def will_not_go(_: TaskContext) -> Mapping[str, Any]:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        try:
            time.sleep(1)
        except BaseException:
            continue


def tidies_up(task: TaskContext) -> Mapping[str, Any]:
    try:
        time.sleep(60)
    finally:
        task.log("tidied up")
    return {}


def lies_about_its_failure(_: TaskContext) -> Mapping[str, Any]:
    os.write(
        3,
        json.dumps(
            {"type": "error", "code": "DROP TABLE", "title": "t" * 60_000, "detail": "d\n\r\x1b[2J"}
        ).encode()
        + b"\n",
    )
    time.sleep(60)
    return {}


def links_out(task: TaskContext) -> Mapping[str, Any]:
    (task.output / "shadow").symlink_to("/etc/passwd")
    return {}


def sums(_: TaskContext) -> Mapping[str, Any]:
    """Call a kernel that the host has compiled, and a new one, and say where each came from."""
    import numpy as np
    from tests.integration.hypervisor_pool import kernel

    values = np.arange(4.0)
    began = time.perf_counter()
    total = kernel.total(values)
    first_s = time.perf_counter() - began
    whole = kernel.total(np.arange(4))
    return {
        "total": float(total),
        "whole": int(whole),
        "hits": sum(kernel.total.stats.cache_hits.values()),
        "misses": sum(kernel.total.stats.cache_misses.values()),
        "first_s": first_s,
    }


def eats_memory(_: TaskContext) -> Mapping[str, Any]:
    eaten = []
    while True:
        eaten.append(b"x" * (1 << 20))


def forks_without_end(_: TaskContext) -> Mapping[str, Any]:
    while True:
        if os.fork() == 0:
            time.sleep(60)


def spins(task: TaskContext) -> Mapping[str, Any]:
    until = time.process_time() + task.params["cpu_s"]
    while time.process_time() < until:
        pass
    return {"cpu_s": time.process_time()}


def touches(task: TaskContext) -> Mapping[str, Any]:
    """Hold so many MiB for a moment, while others run."""
    held = bytearray(os.urandom(1 << 20) * task.params["mib"])
    time.sleep(task.params["s"])
    return {"mib": len(held) >> 20}


def looks_into_others(task: TaskContext) -> Mapping[str, Any]:
    """Try to open the memory of every other process, and to read what says where it lies."""
    del task
    others = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != os.getpid()]
    opened = []
    for pid in others:
        for name, how in (
            ("mem", os.O_RDWR),
            ("mem", os.O_RDONLY),
            ("maps", os.O_RDONLY),
            ("fd", os.O_RDONLY),
        ):
            try:
                descriptor = os.open(f"/proc/{pid}/{name}", how)
                if name == "maps":
                    os.read(descriptor, 10)
                elif name == "fd":
                    os.listdir(descriptor)
                opened.append(f"{pid}/{name}")
            except OSError:
                continue
    return {"others": len(others), "opened": opened}
