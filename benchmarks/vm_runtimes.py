"""What isolation costs: start to exit of an isolated ``true`` beside ``docker run``, and CPU time in a VM over bare."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.race import Figure
from quetzalcore.hypervisor.opening import open_runtimes
from quetzalcore.hypervisor.runtime import Launch, Runtime
from quetzalcore.hypervisor.spec import VMSpec

__all__ = ["figures"]

_RUNS = 30
_PAIRS = 20
_SPEC = VMSpec(cpus=2, memory_mib=1024, scratch_mib=64, pids=64)
_WORKER = r"""
import os, socket, time
import numpy as np, scipy.fft, numba

@numba.njit
def pairs(x):
    total = 0.0
    for i in range(x.size):
        for j in range(x.size):
            total += 1.0 / (1.0 + (x[i] - x[j]) ** 2)
    return total

grid, square, line = np.ones((1024, 1024)), np.ones((900, 900)), np.arange(4500.0)
work = {
    b"FFT": lambda: [scipy.fft.irfft2(scipy.fft.rfft2(grid)) for _ in range(4)],
    b"matmul": lambda: [square @ square for _ in range(3)],
    b"Numba": lambda: pairs(line),
}
for one in work.values():
    one()
channel = socket.socket(fileno=3)
channel.sendall(b"ready")
while name := channel.recv(20):
    start = time.process_time()
    work[name]()
    channel.sendall(repr(time.process_time() - start).encode())
"""


def figures() -> list[Figure]:
    """Measure starts of each runtime that is here, beside Docker where it can be had, then CPU time."""
    with open_runtimes(f"bench-{os.getpid()}") as runtimes:
        walled = [one for one in runtimes.by_name.values() if one.name != "process"]
        starts = _starts(walled)
        return [*starts, *_overheads(runtimes.choose(_SPEC))]


# -- start to exit of true ---------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    wall_ms: float
    launcher_cpu_ms: float
    own_cpu_ms: float


def _starts(walled: list[Runtime]) -> list[Figure]:
    costs = {one.name: _measure(_machine_once(one)) for one in walled}
    with _docker() as docker:
        peer = _measure(docker) if docker else None
    found = []
    for name, cost in costs.items():
        ratio = None if peer is None else peer.wall_ms / cost.wall_ms
        found.append(
            Figure(
                work=f"start to exit of an isolated true, {name}, {_RUNS} runs",
                ours=f"{cost.wall_ms:.1f} ms (CPU {cost.launcher_cpu_ms:.1f} + {cost.own_cpu_ms:.1f} ms of ours)",
                peer="" if peer is None else f"{peer.wall_ms:.0f} ms",
                peer_name="" if peer is None else "docker run --network none",
                ratio=ratio,
                bar=_bar(name, peer is not None),
                met=name == "runc" or ratio is None or ratio >= 10,
            )
        )
    return found


def _bar(name: str, compared: bool) -> str:  # noqa: FBT001 -- two cases of one sentence
    if not compared:
        return "none: no Docker engine here to compare with"
    return "none: crun is taken first" if name == "runc" else "at least 10x faster than docker run"


def _measure(once: Callable[[], object]) -> _Cost:
    for _ in range(3):
        once()
    walls, before, own = [], _children_s(), time.process_time()
    for _ in range(_RUNS):
        start = time.perf_counter()
        once()
        walls.append(time.perf_counter() - start)
    return _Cost(
        wall_ms=statistics.median(walls) * 1e3,
        launcher_cpu_ms=(_children_s() - before) / _RUNS * 1e3,
        own_cpu_ms=(time.process_time() - own) / _RUNS * 1e3,
    )


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _machine_once(runtime: Runtime) -> Callable[[], object]:
    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder, _pair() as (_, theirs):
            machine = await runtime.launch(
                Launch(
                    vm_id=f"true-{time.monotonic_ns()}",
                    spec=_SPEC,
                    folder=Path(folder),
                    command=("/bin/true",),
                    channel=theirs.fileno(),
                )
            )
            assert await machine.wait() == 0
            await runtime.kill(machine)

    return lambda: asyncio.run(run())


@contextlib.contextmanager
def _pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


# -- docker run, on an engine of our own ---------------------------------------------------


@contextlib.contextmanager
def _docker() -> Iterator[Callable[[], object] | None]:
    """Start a private Docker engine with an image of nothing but ``true``; none where it does not start."""
    if os.getuid() != 0 or not (shutil.which("dockerd") and shutil.which("docker")):
        print("Docker's engine is not here: no peer", file=sys.stderr)
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="docker-") as folder:
        host = f"unix://{folder}/socket"
        log = Path(folder, "log").open("w")  # noqa: SIM115 -- closed below, after the engine
        engine = subprocess.Popen(
            (
                *("dockerd", "--host", host, "--data-root", f"{folder}/data"),
                *("--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"),
                *("--iptables=false", "--ip6tables=false", "--bridge=none"),
                *("--storage-driver", os.environ.get("DOCKER_STORAGE", "overlay2")),
            ),
            stdout=log,
            stderr=log,
        )
        try:
            if not _ready(engine, host):
                print(
                    "Docker's engine does not start:",
                    Path(log.name).read_text()[-600:],
                    file=sys.stderr,
                )
                yield None
                return
            image = _image(Path(folder), host)
            command = (
                "docker",
                "--host",
                host,
                "run",
                "--rm",
                "--network",
                "none",
                image,
                "/bin/true",
            )
            yield lambda: subprocess.run(command, check=True)
        finally:
            engine.send_signal(signal.SIGTERM)
            engine.wait(60)
            log.close()


def _ready(engine: subprocess.Popen[bytes], host: str) -> bool:
    for _ in range(300):
        if engine.poll() is not None:
            return False
        asked = subprocess.run(
            ("docker", "--host", host, "version"), capture_output=True, check=False
        )
        if asked.returncode == 0:
            return True
        time.sleep(0.1)
    return False


def _image(folder: Path, host: str) -> str:
    program = os.path.realpath("/bin/true")
    linked = subprocess.run(("ldd", program), capture_output=True, text=True, check=True).stdout
    libraries = [word for word in linked.split() if word.startswith("/")]
    with tarfile.open(folder / "root.tar", "w", dereference=True) as root:
        root.add(program, "bin/true")
        for library in libraries:
            root.add(library, library.lstrip("/"))
    subprocess.run(
        ("docker", "--host", host, "import", f"{folder}/root.tar", "true:1"),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return "true:1"


# -- CPU time in a VM over bare -----------------------------------------------------------


def _overheads(runtime: Runtime) -> list[Figure]:
    ratios = asyncio.run(_compare(runtime))
    return [
        Figure(
            work=f"CPU time in a VM ({runtime.name}) over bare, {name}, {_PAIRS} interleaved pairs",
            ours=f"{inside * 1e3:.1f} ms",
            peer=f"{bare * 1e3:.1f} ms",
            peer_name="bare Python",
            ratio=bare / inside,
            bar=f"at most 1.03 (median of the pairs: {ratio:.3f})",
            met=ratio <= 1.03,
        )
        for name, (inside, bare, ratio) in ratios.items()
    ]


async def _compare(runtime: Runtime) -> dict[str, tuple[float, float, float]]:
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "2")
    with (
        tempfile.TemporaryDirectory() as folder,
        _pair() as (inside, guest),
        _pair() as (bare, child),
    ):
        launch = Launch(
            vm_id="overhead",
            spec=_SPEC,
            folder=Path(folder),
            command=(sys.executable, "-c", _WORKER),
            channel=guest.fileno(),
        )
        machine = await runtime.launch(launch)
        code = f"import os; os.dup2({child.fileno()}, 3)\n{_WORKER}"
        process = subprocess.Popen(  # noqa: ASYNC220 -- it only starts
            (sys.executable, "-c", code), pass_fds=(child.fileno(),), env=os.environ | threads
        )
        try:
            assert inside.recv(5) == bare.recv(5) == b"ready"
            return {name: _pairs(name, inside, bare) for name in ("FFT", "matmul", "Numba")}
        finally:
            await runtime.kill(machine)
            process.kill()
            process.wait()


def _pairs(name: str, inside: socket.socket, bare: socket.socket) -> tuple[float, float, float]:
    ours, theirs = [], []
    for _ in range(_PAIRS):
        ours.append(_ask(inside, name))
        theirs.append(_ask(bare, name))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return statistics.median(ours), statistics.median(theirs), ratio


def _ask(channel: socket.socket, name: str) -> float:
    channel.sendall(name.encode())
    return float(channel.recv(100))
