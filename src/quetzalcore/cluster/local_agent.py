"""One agent of this host in a child process, reached by a unix socket: found, started, asked, ended."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from quetzalcore.cluster.agent_process import LOCK, SOCKET
from quetzalcore.cluster.engine import AgentLink, AgentUnreachable, accepted, understood
from quetzalcore.cluster.environment import without_secrets
from quetzalcore.cluster.framing import AgentNode, Call, Caller, EventRequest
from quetzalcore.cluster.host import HostSettings
from quetzalcore.cluster.messages import Answer, Command, EventBatch
from quetzalcore.cluster.portions import commands
from quetzalcore.jobs.model import Node
from quetzalcore.socket_paths import short_folder

__all__ = ["LocalAgent"]

_START_S = 30.0
_QUIT_S = 10.0
_READ_LIMIT = 1 << 20
_POLL_S = 0.005

log = logging.getLogger(__name__)


class LocalAgent:
    """An agent of this host. It outlives a master, so that the next one adopts what it runs.

    A dead agent is started again by the next call of ``start``; what it ran is lost. So is one that does
    not answer within ``patience_s``. One that is not ``wanted`` any more is not started.
    """

    def __init__(
        self,
        settings: HostSettings,
        *,
        log_file: Path | None = None,
        patience_s: float = 5.0,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self.settings = settings
        self._folder = settings.folder
        self._log_file = log_file or settings.folder / "agent.log"
        self._caller: Caller | None = None
        self._children: set[int] = set()
        self._starting = asyncio.Lock()
        self._wanted = wanted
        self.patience_s = patience_s

    @property
    def connected(self) -> bool:
        """Whether it was reached and has not hung up since."""
        return self._caller is not None and not self._caller.closed.is_set()

    async def start(self) -> None:
        """Adopt the agent that runs, or start one."""
        await self._connect()

    async def node(self) -> Node:
        """Give what it says of its node; ``AgentUnreachable`` if it does not answer, and then it is let go of."""
        caller = self._caller
        if caller is None:
            raise AgentUnreachable("the agent is not running", hint="it is restarted by itself")
        try:
            return (await self._about(caller)).node
        except AgentUnreachable:
            await self.close()
            raise

    def link(self) -> AgentLink:
        """Give a link to it."""
        return _LocalLink(self)

    async def close(self) -> None:
        """Hang up; the agent and what it runs go on."""
        if self._caller is not None:
            await self._caller.close()
            self._caller = None
        self._reap()

    async def shut_down(self) -> None:
        """End the agent and everything that it runs, if there is one."""
        async with self._starting:
            if not self._folder.is_dir():
                return
            with await asyncio.to_thread(
                _lock, self._folder / "start.lock"
            ):  # nobody starts it now
                caller = self._caller or await self._dial()
                if caller is not None:
                    self._caller = caller
                    await self._quit(caller)
                else:  # it may live and not listen
                    await asyncio.to_thread(_wait_until_gone, self._folder / LOCK, 0.0)
            await self.close()

    async def ask(self, call: Call, body: bytes, *, timeout_s: float) -> bytes:
        """Send a request over the connection there is; ``AgentUnreachable`` without one."""
        if self._caller is None:
            raise AgentUnreachable("the agent is not running", hint="it is restarted by itself")
        return await _within(self._caller.ask(call, body), timeout_s)

    async def _connect(self) -> Caller:
        async with self._starting:
            if self._caller is not None and not self._caller.closed.is_set():
                return self._caller
            await self.close()
            self._check_wanted()
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with await asyncio.to_thread(_lock, self._folder / "start.lock"):
                self._check_wanted()
                caller = await self._adopt()
                if caller is None:
                    await self._spawn()
                    caller = await self._dial()
            if caller is None:
                raise AgentUnreachable(
                    "the agent has started and does not listen", hint=f"see {self._log_file}"
                )
            self._caller = caller
            return caller

    def _check_wanted(self) -> None:
        if not self._wanted():
            raise AgentUnreachable("the worker was removed meanwhile", hint="nothing is to be done")

    async def _adopt(self) -> Caller | None:
        """Reach a running agent with our settings; end one with others or that does not answer."""
        caller = await self._dial()
        if caller is None:
            await asyncio.to_thread(_wait_until_gone, self._folder / LOCK, 0.0)
            return None
        try:
            about = await self._about(caller)
        except AgentUnreachable:
            await caller.close()
            await asyncio.to_thread(_wait_until_gone, self._folder / LOCK, 0.0)
            return None
        if about.settings == self.settings.model_dump_json():
            log.info("adopted the agent of process %d", about.pid)
            return caller
        await self._quit(caller)
        await caller.close()
        return None

    async def _dial(self) -> Caller | None:
        try:
            with short_folder(self._folder) as folder:
                reader, writer = await asyncio.open_unix_connection(
                    f"{folder}/{SOCKET}", limit=_READ_LIMIT
                )
        except OSError:
            return None
        return Caller(reader, writer)

    async def _spawn(self) -> None:
        """Start the agent's process and wait until it listens."""
        ready, told = os.pipe()
        os.set_inheritable(told, True)
        command = (
            *(sys.executable, "-m", "quetzalcore.cluster.agent_process"),
            *("--folder", str(self._folder), "--ready-fd", str(told)),
            *("--settings", self.settings.model_dump_json()),
        )
        try:
            self._children.add(_run_detached(command, self._log_file))
        finally:
            os.close(told)
        if not await asyncio.to_thread(_hear, ready, _START_S):
            self._reap()
            raise AgentUnreachable(
                "the agent stopped before it was ready", hint=f"see {self._log_file}"
            )

    async def _quit(self, caller: Caller) -> None:
        with suppress(AgentUnreachable):
            await _within(caller.ask(Call.QUIT), self.patience_s)
        await asyncio.to_thread(_wait_until_gone, self._folder / LOCK, _QUIT_S)
        await asyncio.sleep(_POLL_S)  # its last breath: from letting go of files to being a zombie

    async def _about(self, caller: Caller) -> AgentNode:
        return understood(AgentNode, await _within(caller.ask(Call.NODE), self.patience_s))

    def _reap(self) -> None:
        """Collect agents of ours that have died."""
        for pid in tuple(self._children):
            with suppress(ChildProcessError):
                if os.waitpid(pid, os.WNOHANG)[0] == 0:
                    continue
            self._children.discard(pid)


class _LocalLink:
    """The connection to this host's agent, whichever process that is at the moment."""

    def __init__(self, agent: LocalAgent) -> None:
        self._agent = agent

    async def command(self, command: Command) -> Answer:
        """Send a command."""
        *others, last = commands(command)
        for body in others:
            accepted(await self._say(body))
        return accepted(await self._say(last))

    async def events(self, *, after: int, wait_s: float) -> EventBatch:
        """Acknowledge, and wait for what comes."""
        asked = EventRequest(after=after, wait_s=wait_s).model_dump_json().encode()
        said = await self._agent.ask(Call.EVENTS, asked, timeout_s=wait_s + self._agent.patience_s)
        return understood(EventBatch, said)

    async def _say(self, body: bytes) -> Answer:
        said = await self._agent.ask(Call.COMMAND, body, timeout_s=self._agent.patience_s)
        return understood(Answer, said)


async def _within(answer: Awaitable[bytes], timeout_s: float) -> bytes:
    try:
        return await asyncio.wait_for(answer, timeout_s)
    except TimeoutError as error:
        raise AgentUnreachable(
            f"the agent did not answer within {timeout_s:g} s", hint="it is restarted by itself"
        ) from error


def _run_detached(command: tuple[str, ...], log_file: Path) -> int:
    """Start a process that nobody needs to wait for; give its pid."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawn(
        command[0],
        command,
        without_secrets(os.environ),  # noqa: TID251 -- what of it is handed on is decided there
        file_actions=(
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log_file), append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ),
    )


def _hear(ready: int, timeout_s: float) -> bytes:
    """Wait for the agent's word on a pipe; nothing if it ends or is too slow."""
    with open(ready, "rb", buffering=0) as pipe:
        waiting = select.poll()  # select() knows no descriptor beyond 1,023, and clients open many
        waiting.register(pipe, select.POLLIN)
        return pipe.read(1) if waiting.poll(1000 * timeout_s) else b""


def _lock(path: Path) -> IO[bytes]:
    """Open and lock a file; closing it gives the lock back."""
    file = path.open("ab")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _wait_until_gone(lock: Path, patience_s: float) -> None:
    """Wait until no agent holds its lock; kill the one that does when patience ends."""
    if not lock.exists():
        return
    give_up_at = time.monotonic() + patience_s
    with lock.open("r+", encoding="ascii") as file:
        while not _free(file):
            if time.monotonic() >= give_up_at:
                file.seek(0)
                _kill(file.read())
            time.sleep(_POLL_S)


def _free(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _kill(pid: str) -> None:
    if pid.isdigit():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
