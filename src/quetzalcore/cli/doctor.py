"""``quetzal doctor``: what works on this host, and how to mend the rest."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

import typer

from quetzalcore.cli.console import print_json, print_table, say
from quetzalcore.cli.host_files import HostFiles
from quetzalcore.errors import QuetzalError
from quetzalcore.settings import Settings

__all__ = ["Check", "Verdict", "doctor"]

_LEAST_FREE_GIB = 5.0
_ANSWER_S = 2.0


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    OPTIONAL = "absent"  # something that only some need is not there
    BROKEN = "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at; ``remedy`` says what to do unless it is in order."""

    name: str
    verdict: Verdict
    found: str
    remedy: str = ""


def doctor(
    context: typer.Context,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Look at what this host offers the platform; exit 1 if something needed is broken.

    Example: quetzal doctor
    """
    checks = tuple(_checks(context.obj))
    if as_json:
        print_json({"checks": [asdict(check) for check in checks]})
    else:
        rows = [[check.name, str(check.verdict), check.found] for check in checks]
        print_table("This host", ["what", "is", "found"], rows)
        for check in checks:
            if check.remedy:
                say(f"{check.name}: {check.remedy}.")
    if any(check.verdict is Verdict.BROKEN for check in checks):
        raise typer.Exit(1)


def _checks(settings: Settings) -> Iterable[Check]:
    yield from _isolation()
    yield _data(settings)
    yield _port("gateway port", settings, settings.host, settings.port)
    yield _port("master port", settings, settings.master_host, settings.master_port)
    yield from _services(settings)
    yield _program("nginx", "needed for several gateway instances on one port: install nginx")
    yield _gpu()


def _isolation() -> Iterable[Check]:
    """Say which runtimes isolate VMs here, and whether any holds a tenant's work."""
    from quetzalcore.hypervisor.opening import open_runtimes  # noqa: PLC0415 -- starts sandboxes
    from quetzalcore.hypervisor.spec import Limit  # noqa: PLC0415 -- heavy

    strongest = False
    with open_runtimes("doctor") as opened:
        capabilities = opened.capabilities
    for found in capabilities:
        complete = found.available and found.enforces >= frozenset(Limit)
        strongest = strongest or complete
        held = ", ".join(sorted(found.enforces)) or "nothing"
        yield Check(
            name=f"sandbox {found.name}",
            verdict=Verdict.OK if complete else Verdict.OPTIONAL,
            found="enforces every limit"
            if complete
            else f"enforces {held}: for your own work only",
            remedy="" if found.name == "process" else "; ".join(found.missing.values()),
        )
    yield Check(
        name="work of tenants",
        verdict=Verdict.OK if strongest else Verdict.OPTIONAL,
        found="isolated with every limit" if strongest else "refused here: only your own work runs",
        remedy="" if strongest else "install crun or runc and run as root, or use another host",
    )


def _data(settings: Settings) -> Check:
    try:
        files = HostFiles.of(settings)
    except QuetzalError as error:
        return Check(
            name="data folder", verdict=Verdict.BROKEN, found=error.detail, remedy=error.hint
        )
    free_gib = shutil.disk_usage(files.root).free / 2**30
    enough = free_gib >= _LEAST_FREE_GIB
    return Check(
        name="data folder",
        verdict=Verdict.OK if enough else Verdict.BROKEN,
        found=f"{files.root}, {free_gib:,.0f} GiB free",
        remedy="" if enough else f"make room: at least {_LEAST_FREE_GIB:.0f} GiB should be free",
    )


def _port(name: str, settings: Settings, host: str, port: int) -> Check:
    running = HostFiles.of(settings).running()
    if running is not None and f":{port}" in running.url + running.master_url:
        return Check(name=name, verdict=Verdict.OK, found=f"{port}, held by the running platform")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return Check(
                name=name,
                verdict=Verdict.BROKEN,
                found=f"{host}:{port} cannot be had ({error.strerror})",
                remedy="stop what listens there, or set another port (QUETZAL_PORT)",
            )
    return Check(name=name, verdict=Verdict.OK, found=f"{host}:{port} is free")


def _services(settings: Settings) -> Iterable[Check]:
    addresses: Mapping[str, str] = {
        "database": settings.database_url,
        "Redis": settings.redis_url,
        "Ray head": f"ray://{settings.ray_address}" if settings.ray_address else "",
    }
    for name, url in addresses.items():
        if url and not url.startswith("sqlite"):
            yield _answers(name, url)
    if settings.engine == "ray" and importlib.util.find_spec("ray") is None:
        yield Check(
            name="Ray",
            verdict=Verdict.BROKEN,
            found="not installed",
            remedy="pip install 'quetzalcore[cluster]'",
        )


def _answers(name: str, url: str) -> Check:
    parts = urlsplit(url)
    host, port = parts.hostname or "localhost", parts.port or 5432
    try:
        socket.create_connection((host, port), timeout=_ANSWER_S).close()
    except OSError as error:
        return Check(
            name=name,
            verdict=Verdict.BROKEN,
            found=f"{host}:{port} does not answer ({error})",
            remedy="start it, or correct its address",
        )
    return Check(name=name, verdict=Verdict.OK, found=f"{host}:{port} answers")


def _program(name: str, remedy: str) -> Check:
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        return Check(name=name, verdict=Verdict.OPTIONAL, found="not installed", remedy=remedy)
    return Check(name=name, verdict=Verdict.OK, found=path)


def _gpu(run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run) -> Check:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Check(
            name="GPU", verdict=Verdict.OPTIONAL, found="no NVIDIA driver: the CPU is used"
        )
    query = (tool, "--query-gpu=name,memory.total", "--format=csv,noheader")
    listed = run(query, capture_output=True, text=True, check=False, timeout=10)
    return Check(
        name="GPU",
        verdict=Verdict.OK if listed.returncode == 0 else Verdict.OPTIONAL,
        found=listed.stdout.strip().replace("\n", "; ") or "nvidia-smi fails",
    )
