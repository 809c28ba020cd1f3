"""The kinds and their parameters."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from quetzalcore.jobs.model import Resources
from quetzalcore.workloads.kind import Kind
from quetzalcore.workloads.parameters import Parameters


class ForSeconds(Parameters):
    """How long it goes on where nothing stops it."""

    seconds: float = Field(default=600.0, ge=0)


class Mebibytes(Parameters):
    """Where it stops by itself; ``swallow`` returns how far it came instead of failing."""

    mib: int = Field(default=1 << 20, ge=0)
    swallow: bool = False


class SpinParams(ForSeconds):
    threads: int = Field(default=16, ge=1)


class SocketParams(Parameters):
    """Addresses to connect to beside the usual ones: host and port."""

    addresses: tuple[tuple[str, int], ...] = ()
    unix: tuple[str, ...] = ()


class PathParams(Parameters):
    """Paths to try beside the usual ones; ``usual`` leaves those out."""

    paths: tuple[str, ...] = ()
    usual: bool = True


class PrintParams(Parameters):
    mib: int = Field(default=1024, ge=0)
    through: Literal["stdout", "stderr", "log", "progress"] = "stdout"


class CrashParams(Parameters):
    how: Literal["segfault", "abort", "kill", "stack", "raise"] = "segfault"


class ExitParams(Parameters):
    status: int = Field(default=0, ge=0, le=255)


class OutputParams(Parameters):
    which: tuple[
        Literal["links", "special", "names", "many", "deep", "sparse", "locked", "html"], ...
    ] = ("links", "special", "names", "many", "deep", "sparse", "locked", "html")
    count: int = Field(default=10_000, ge=0)


class ResultParams(Parameters):
    how: Literal["long", "deep", "nan", "list", "object"] = "long"
    mib: int = Field(default=1024, ge=0)


class SumParams(Parameters):
    size: int = Field(default=1000, ge=0, description="Bytes of the file that is written.")
    sleep_s: float = Field(default=0.0, ge=0)
    tag: str = ""


_RESOURCES = Resources(cpus=1.0, memory_mib=256, scratch_mib=32)


def _kind(name: str, params: type[BaseModel], *, inputs: tuple[int, int] = (0, 0)) -> Kind:
    return Kind(
        name=name,
        version="1",
        title=name.replace("_", " "),
        params=params,
        run=f"misbehaving.run:{name}",
        inputs=inputs,
        resources=lambda _params, _bytes: _RESOURCES,
        wall_s=60.0,
        reusable=False,
        forkable=True,  # a fault must not spread to the VM that forked it either
    )


FORKBOMB = _kind("forkbomb", ForSeconds)
EAT_MEMORY = _kind("eat_memory", Mebibytes)
SPIN = _kind("spin", SpinParams)
FILL_OUT = _kind("fill_out", Mebibytes)
FILL_TMP = _kind("fill_tmp", Mebibytes)
OPEN_SOCKETS = _kind("open_sockets", SocketParams)
WRITE_OUTSIDE = _kind("write_outside", PathParams)
PRINT_GIGABYTE = _kind("print_gigabyte", PrintParams)
IGNORE_SIGTERM = _kind("ignore_sigterm", ForSeconds)
CRASH = _kind("crash", CrashParams)
EXIT_SILENTLY = _kind("exit_silently", ExitParams)
HOSTILE_OUTPUTS = _kind("hostile_outputs", OutputParams, inputs=(0, 1))
GIANT_RESULT = _kind("giant_result", ResultParams)
RANDOM_NUMBER = _kind("random_number", Parameters)
READ_SECRETS = _kind("read_secrets", PathParams)
SUM_FILE = _kind("sum_file", SumParams, inputs=(0, 1))
