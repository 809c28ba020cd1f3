"""The process of a local node's agent: it serves one agent on a unix socket until nobody needs it."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from quetzalcore.cluster.agent import Agent
from quetzalcore.cluster.agent_socket import AgentSocket
from quetzalcore.cluster.framing import AgentNode
from quetzalcore.cluster.host import HostSettings, open_host
from quetzalcore.cluster.load import HostLoad

__all__ = ["LOCK", "SOCKET", "main"]

SOCKET = "agent.sock"
LOCK = "agent.pid"  # locked by the living agent, which writes its pid into it
_LOOK_S = 2.0
_OOM_SCORE = -500  # the kernel should end a VM before the agent that would report it
_SERVED_ALREADY = 3

log = logging.getLogger("quetzalcore.agent")


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to quit or abandoned; a second agent for the same folder leaves at once."""
    parser = argparse.ArgumentParser(prog="quetzal-agent")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--settings", required=True, help="HostSettings as JSON")
    parser.add_argument("--ready-fd", type=int, default=-1)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    _detach()
    os.chdir(given.folder)  # a unix socket's path is short: bind it by its name alone
    if not _claim(Path(LOCK)):
        log.info("another agent serves this folder")
        return _SERVED_ALREADY
    settings = HostSettings.model_validate_json(given.settings)
    asyncio.run(_serve(settings, ready_fd=given.ready_fd))
    return 0


def _detach() -> None:
    """Lead an own session, so that a terminal's Ctrl-C for the master does not end the agent's work."""
    with suppress(PermissionError):  # it leads one already
        os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with suppress(OSError):  # not Linux, or not privileged
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE), encoding="ascii")


def _claim(path: Path) -> bool:
    """Lock a file until the process is gone, and write the pid into it; False if another has it.

    The descriptor is never closed: who finds the lock free knows that the process has ended.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    return True


async def _serve(settings: HostSettings, *, ready_fd: int) -> None:
    async with open_host(settings) as (node, vms):
        agent = Agent(
            node, vms, settings.folder / "work", first_event=time.time_ns() // 1000, load=HostLoad()
        )
        about = AgentNode(node=node, settings=settings.model_dump_json(), pid=os.getpid())
        try:
            async with AgentSocket(agent, about, Path(SOCKET)) as socket:
                for number in (signal.SIGTERM, signal.SIGINT):
                    asyncio.get_running_loop().add_signal_handler(number, socket.quit.set)
                _say_ready(ready_fd)
                await _until_unneeded(agent, socket.quit, settings.silence_s)
        finally:
            await agent.close()


def _say_ready(ready_fd: int) -> None:
    if ready_fd >= 0:
        with suppress(OSError):  # nobody waits any more
            os.write(ready_fd, b"ready\n")
        os.close(ready_fd)


async def _until_unneeded(agent: Agent, told: asyncio.Event, silence_s: float) -> None:
    """Return when told to, or when no master has spoken for long and nothing runs."""
    while not told.is_set() and not agent.is_abandoned(silence_s):
        with suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), min(_LOOK_S, silence_s))
    log.info("leaving: %s", "told to" if told.is_set() else "no master has spoken for long")


if __name__ == "__main__":
    sys.exit(main())
