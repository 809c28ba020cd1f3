"""The supervisor's process: light, for it lives as long as the platform; ``quetzal up --instances`` becomes it.

It is started by its module's name, not through the command line, which would load what it never needs.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import logging
import os
import secrets
import sys
import time

from quetzalcore.cli.inherited import Inherited
from quetzalcore.errors import QuetzalError
from quetzalcore.ops.supervisor.control_server import control_socket
from quetzalcore.ops.supervisor.log_files import RotatingFile
from quetzalcore.ops.supervisor.plan import SupervisorPlan
from quetzalcore.ops.supervisor.supervisor import Clocks, Supervisor

__all__ = ["main"]

_LOCK = "supervisor.lock"
_NOTE = "platform.json"
_SERVICE = "platform"
_STDERR = 2
_LOOK_S = 0.05
_ANSWER_S = 5.0
_FIRST_FAILURE = 500
_QUESTION = b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

log = logging.getLogger("quetzalcore.supervisor")


def main(arguments: list[str] | None = None) -> int:
    """Supervise until told to stop; a second supervisor of the same folder leaves at once."""
    parser = argparse.ArgumentParser(prog="quetzal-supervisor")
    parser.add_argument("--plan", required=True, help="SupervisorPlan as JSON")
    plan = SupervisorPlan.of_json(parser.parse_args(arguments).plan)
    own_log = _log_to(plan)
    lock = os.open(plan.run / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # held until the process is gone
    except BlockingIOError:
        log.error("another supervisor runs in %s", plan.run)  # noqa: TRY400 -- no news to anybody
        return 1
    try:
        asyncio.run(_supervise(plan, own_log))
    except QuetzalError as error:
        log.error("%s", error)  # noqa: TRY400 -- it says what to do; a traceback would hide it
        return 1
    return 0


async def _supervise(plan: SupervisorPlan, own_log: RotatingFile | None) -> None:
    notify_socket = os.environ.get("NOTIFY_SOCKET", "")
    serving = asyncio.Event()
    supervisor = Supervisor(
        plan,
        {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"},
        life=secrets.token_hex(3),
        clocks=Clocks(monotonic=time.monotonic, wall=time.time),
        on_ready=serving.set,
    )
    if own_log is not None:
        supervisor.logs[_SERVICE] = own_log
    async with control_socket(supervisor):
        announcing = asyncio.create_task(_announce(plan, supervisor, serving, notify_socket))
        try:
            await supervisor.run()
        finally:
            announcing.cancel()
            (plan.run / _NOTE).unlink(missing_ok=True)
    log.info("everything has ended")


async def _announce(
    plan: SupervisorPlan, supervisor: Supervisor, serving: asyncio.Event, notify_socket: str
) -> None:
    """Write down where the platform answers, once it does: a balancer takes a moment to find the instances."""
    await serving.wait()
    while not await _answers(plan.host, supervisor.sockets.port):  # noqa: ASYNC110 -- the balancer is asked
        await asyncio.sleep(_LOOK_S)
    _note(plan, supervisor)
    Inherited().say_ready(notify_socket)
    log.info("the platform is ready at %s", supervisor.sockets.url)


async def _answers(host: str, port: int) -> bool:
    """Say whether an instance answers at the public address."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(_QUESTION)
                status = (await reader.readline()).split()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return len(status) > 1 and status[1].isdigit() and int(status[1]) < _FIRST_FAILURE


def _note(plan: SupervisorPlan, supervisor: Supervisor) -> None:
    note = {
        "pid": os.getpid(),
        "started_at": plan.started_at,
        "url": supervisor.sockets.url,
        "master_url": supervisor.sockets.master_url,
    }
    draft = plan.run / f"{_NOTE}.{os.getpid()}"
    draft.write_text(json.dumps(note), encoding="utf-8")
    draft.replace(plan.run / _NOTE)


def _log_to(plan: SupervisorPlan) -> RotatingFile | None:
    """Log to stderr; where that is the platform's log, keep it from growing without end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    path = plan.logs / f"{_SERVICE}.log"
    if not path.is_file() or not os.path.samestat(os.fstat(_STDERR), path.stat()):
        return None
    file = RotatingFile(path, most_bytes=plan.log_bytes)
    logging.getLogger().handlers[:] = [_RotatingHandler(file)]
    return file


class _RotatingHandler(logging.Handler):
    """Writes lines to a rotating file, and lets stderr follow it."""

    def __init__(self, file: RotatingFile) -> None:
        super().__init__()
        self._file = file
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        self._file.write(f"{self.format(record)}\n".encode())
        if not os.path.samestat(os.fstat(_STDERR), self._file.path.stat()):
            os.dup2(self._file.fileno(), _STDERR)


if __name__ == "__main__":
    sys.exit(main())
