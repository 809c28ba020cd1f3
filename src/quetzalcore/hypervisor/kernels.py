"""``python -m quetzalcore.hypervisor.kernels FOLDER``: compile the kernels that VMs then share.

A small simulated survey goes through the whole main job, so that every kernel on its way is compiled
for this CPU. Numba renews by itself what no longer fits the source, the CPU or its own version.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import tempfile
import threading
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import quetzalcore
from quetzalcore.hypervisor import spawning

__all__ = ["Kernels", "compile_kernels"]

_DONE = "complete"  # a file that holds the state of the sources for which the folder is complete
_NICE = 19
_LIFELINE = 3  # a pipe that the host holds open while it lives


class Kernels:
    """A folder of compiled kernels that VMs may read; only this host's own process writes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def complete(self) -> bool:
        """Say whether every kernel was compiled since the sources, Numba or NumPy changed."""
        done = self.folder / _DONE
        return done.is_file() and done.read_text() == _state()

    def mark_complete(self, state: str | None = None) -> None:
        """Note that nothing is left to compile, for the sources as they are or as ``state`` has them."""
        (self.folder / _DONE).write_text(state or _state())

    async def fill(self) -> bool:
        """Compile in a process of low priority; say whether it ended well. Cancelling ends it."""
        reading, writing = os.pipe()  # its end is the child's: closed however we end
        try:
            started = spawning.start(
                (sys.executable, "-m", __name__, str(self.folder)),
                environment={
                    "PATH": "/usr/bin:/bin",
                    "PYTHONPATH": str(Path(quetzalcore.__file__).parents[1]),
                    "OMP_NUM_THREADS": "1",
                },
                descriptors={_LIFELINE: reading},
            )
            child = spawning.follow(started)
            try:
                status = await child.wait()
            except asyncio.CancelledError:
                child.signal()
                await child.wait()
                raise
        finally:
            os.close(reading)
            os.close(writing)
        return status == 0


def _state() -> str:
    """Digest what compiled kernels depend on."""
    digest = hashlib.sha256(f"{version('numba')} {version('numpy')} {sys.version}".encode())
    root = Path(quetzalcore.__file__).parent
    for path in sorted(root.rglob("*.py")):
        status = path.stat()
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()


def compile_kernels() -> None:
    """Run the main job over a small survey."""
    import numpy as np  # noqa: PLC0415 -- science only in this process of its own

    from quetzalcore.geophysics.simulation import default_plan, simulate  # noqa: PLC0415
    from quetzalcore.workloads.mag_survey.kind import MagSurveyParams  # noqa: PLC0415
    from quetzalcore.workloads.mag_survey.task import run  # noqa: PLC0415
    from quetzalcore.workloads.progress import silent  # noqa: PLC0415
    from quetzalcore.workloads.simulated import write_files  # noqa: PLC0415
    from quetzalcore.workloads.task import TaskContext  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="quetzal-kernels-") as name:
        folder = Path(name)
        plan = replace(default_plan(), line_spacing_m=400.0, tie_spacing_m=2000.0)
        files = write_files(simulate(plan, np.random.default_rng(0)), folder / "survey.csv")
        (folder / "out").mkdir()
        inputs = {"survey": files.survey.name, "base_station": files.base_station.name}
        run(
            TaskContext(
                params=MagSurveyParams.model_validate({"inputs": inputs}).model_dump(mode="json"),
                inputs={file.name: file for file in (files.survey, files.base_station)},
                output=folder / "out",
                progress=silent,
                log=lambda _: None,
                cores=1,
                memory_mib=4096,
            )
        )


def _main(folder: Path) -> None:
    threading.Thread(target=_end_with_the_host, daemon=True).start()
    os.nice(_NICE)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)  # noqa: TID251 -- a process's edge, before Numba
    state = _state()
    compile_kernels()
    Kernels(folder).mark_complete(state)


def _end_with_the_host() -> None:
    try:
        os.read(_LIFELINE, 1)
    except OSError:
        return  # started by hand
    os._exit(1)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
