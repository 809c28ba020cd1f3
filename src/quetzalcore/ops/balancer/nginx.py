"""One nginx of our own: told, tested, reloaded and ended by its process id."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import structlog

from quetzalcore.errors import BadParameter, Permanent
from quetzalcore.ops.balancer.config import generation, nginx_config
from quetzalcore.ops.balancer.options import BalancerOptions, Upstream

__all__ = ["BalancerRefused", "Nginx", "check_command", "nginx_version", "run_command"]

_log = structlog.get_logger(__name__)
_POLL_S = 0.01
_ANSWER_S = 1.0
_TOLD = 2000  # characters of what nginx said of an error
_LOGS_KEPT = 5
_MASTER = "nginx: master process"
_WORKER = "nginx: worker process"
_LEAVING = "is shutting down"


class BalancerRefused(Permanent):
    """nginx did not take a configuration; what it served before, it still serves."""

    code = "balancer_refused"
    title = "The load balancer refused its configuration"


def run_command(program: str, options: BalancerOptions, config: Path) -> tuple[str, ...]:
    """Give the command that runs nginx in the foreground."""
    return (program, "-p", str(options.folder), "-e", _errors(options), "-c", str(config))


def check_command(program: str, options: BalancerOptions, config: Path) -> tuple[str, ...]:
    """Give the command that only tests a configuration."""
    return (*run_command(program, options, config), "-t", "-q")


async def nginx_version(program: str = "nginx") -> tuple[int, ...]:
    """Ask which nginx is installed.

    Raises
    ------
    BadParameter
        If none is.
    """
    try:
        _, said = await _ran((program, "-v"))
    except OSError:
        said = ""
    found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", said)
    if found is None:
        raise BadParameter(
            f"there is no nginx at {program!r}",
            hint="install it (Debian: nginx-light), or set balancer to socket",
        )
    return tuple(int(part) for part in found.groups())


class Nginx:
    """Serves what it was last told; one that still runs from an earlier life is taken over.

    Parameters
    ----------
    options : BalancerOptions
        How instances are served.
    program : str
        The nginx to run.
    patience_s : float
        How long it may take to start, to take a change, or to end.
    parting_s : float
        How long before a change clients are told to use their connections no more.
    """

    def __init__(
        self,
        options: BalancerOptions,
        *,
        program: str = "nginx",
        patience_s: float = 10.0,
        parting_s: float = 1.0,
    ) -> None:
        self._options = options
        self._program = program
        self._patience_s = patience_s
        self._parting_s = parting_s if options.parts_abruptly else 0.0
        self._config = options.folder / "nginx.conf"
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def apply(self, upstreams: Sequence[Upstream]) -> bool:
        """Return when exactly these instances are served; True where that was a change.

        Starts nginx where it does not run. Idempotent.

        Raises
        ------
        BalancerRefused
            With what nginx said; what was served before is still served.
        """
        config = nginx_config(self._stamped(), upstreams)
        async with self._turn:
            if await self.serves() == generation(config):
                return False
            self._options.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._options.folder / "temp").mkdir(mode=0o700, exist_ok=True)
            before = self._config.read_bytes() if self._config.exists() else None
            await self._put(config)
            try:
                await self._part()
                await self._take(generation(config))
            except BalancerRefused:
                if before is not None:
                    self._config.write_bytes(before)
                raise
            finally:
                self._options.parting.unlink(missing_ok=True)
        return True

    async def serves(self) -> str:
        """Ask nginx which configuration it serves; empty where it does not answer."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                reader, writer = await asyncio.open_unix_connection(self._options.control)
                try:
                    writer.write(b"GET /generation HTTP/1.0\r\n\r\n")
                    answer = await reader.read()
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return ""
        return answer.rpartition(b"\r\n\r\n")[2].decode()

    def master(self) -> psutil.Process | None:
        """Give nginx's first process where it runs; a pid that another process has by now does not count."""
        with suppress(OSError, ValueError, psutil.Error):
            process = psutil.Process(int((self._options.folder / "nginx.pid").read_text()))
            title = " ".join(process.cmdline())
            if title.startswith(_MASTER) and str(self._config) in title:
                return process
        return None

    async def rotate(self, *, most_bytes: int) -> bool:
        """Begin new log files where one has grown beyond a size; say whether that was so."""
        logs = [self._options.folder / name for name in ("access.log", "error.log")]
        if max(map(_size, logs)) <= most_bytes:
            return False
        async with self._turn:
            master = self.master()
            if master is None:
                return False
            for log in logs:
                for number in range(_LOGS_KEPT - 1, 0, -1):
                    with suppress(FileNotFoundError):
                        log.with_suffix(f".log.{number}").replace(
                            log.with_suffix(f".log.{number + 1}")
                        )
                with suppress(FileNotFoundError):
                    log.replace(log.with_suffix(".log.1"))
            master.send_signal(signal.SIGUSR1)
        return True

    async def stop(self) -> None:
        """End nginx: requests that run may finish; what does not in time is cut off. Idempotent."""
        async with self._turn:
            for number in (signal.SIGQUIT, signal.SIGTERM, signal.SIGKILL):
                master = self.master()
                if master is None:
                    break
                with suppress(psutil.NoSuchProcess):
                    master.send_signal(number)
                if await self._gone():
                    break
            if self._child is not None:
                await self._child.wait()
                self._child = None

    def _stamped(self) -> BalancerOptions:
        """Mark the options with the certificate's age, so that a renewed one is a change."""
        tls = self._options.tls
        if tls is None:
            return self._options
        files = (tls.certificate, tls.private_key)
        stamp = "-".join(str(file.stat().st_mtime_ns) for file in files if file.exists())
        return replace(self._options, tls=replace(tls, stamp=stamp))

    async def _put(self, config: str) -> None:
        """Put a configuration in place, if nginx finds nothing wrong with it."""
        draft = self._config.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(config)
        status, said = await _ran(check_command(self._program, self._options, draft))
        if status:
            raise BalancerRefused(
                f"nginx finds the configuration wrong: {said.strip()[-_TOLD:]}",
                hint=f"what was served before is still served; look at {draft}",
            )
        draft.replace(self._config)

    async def _part(self) -> None:
        """Let clients give up their kept connections: a reload closes the idle ones without a word."""
        if self._parting_s and self.master() is not None:
            self._options.parting.touch()
            await asyncio.sleep(self._parting_s)

    async def _take(self, name: str) -> None:
        """Start or reload, and wait until only the new configuration is served."""
        errors = Path(_errors(self._options))
        heard = _size(errors)
        master = self.master()
        old = _workers(master)
        if master is None:
            await self._start()
        else:
            master.send_signal(signal.SIGHUP)
        deadline = asyncio.get_running_loop().time() + self._patience_s
        while await self.serves() != name or old & _workers(self.master()):
            ended = self._child is not None and self._child.returncode is not None
            if ended or asyncio.get_running_loop().time() > deadline:
                raise BalancerRefused(
                    f"nginx did not take the configuration: {_since(errors, heard)}",
                    hint="see that its addresses are free and that its folder can be written",
                )
            await asyncio.sleep(_POLL_S)

    async def _start(self) -> None:
        if self._child is not None:
            await self._child.wait()
        self._options.control.unlink(missing_ok=True)  # left behind by one that was killed
        self._child = await asyncio.create_subprocess_exec(
            *run_command(self._program, self._options, self._config),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,  # it writes the same into its log
            start_new_session=True,  # Ctrl-C is for us; we end it in our turn
        )
        _log.info("balancer.started", pid=self._child.pid, folder=str(self._options.folder))

    async def _gone(self) -> bool:
        """Wait for nginx's end, for as long as we have patience."""
        deadline = asyncio.get_running_loop().time() + self._patience_s
        while self.master() is not None:
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(_POLL_S)
        return True


def _workers(master: psutil.Process | None) -> frozenset[int]:
    """Give the workers that take new connections."""
    found = set()
    with suppress(psutil.NoSuchProcess):
        for child in [] if master is None else master.children():
            with suppress(psutil.Error):
                title = " ".join(child.cmdline())
                if title.startswith(_WORKER) and _LEAVING not in title:
                    found.add(child.pid)
    return frozenset(found)


def _errors(options: BalancerOptions) -> str:
    return str(options.folder / "error.log")


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def _since(log: Path, start: int) -> str:
    with suppress(OSError):
        said = log.read_bytes()[start:].decode(errors="replace").strip()
        return said[-_TOLD:] or "it said nothing"
    return "it said nothing"


async def _ran(command: tuple[str, ...]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode(errors="replace")
