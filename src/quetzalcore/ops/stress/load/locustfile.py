"""The users of a load test; locust alone imports this, in a folder that holds their plan.

Every request is counted under its route, never under an id, and with the instance that says it answered.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import gevent
from locust import FastHttpUser, constant, events
from locust.env import Environment

from quetzalcore.ops.stress.plan import PLAN_FILE, RECORD_FILE, REQUEST_S, Action
from quetzalcore.ops.stress.record import Key, Second, Tally, line_of

_PLAN: dict[str, Any] = json.loads(Path(PLAN_FILE).read_text("utf-8"))
Path(PLAN_FILE).unlink()  # it holds a key
_PARENT = os.getppid()
_TICK_S = 0.2
_REFUSED = 401
_ENDED_ALREADY = 409
_ROWS = 100
_NUMBERS = count()
_OPEN_JOBS: set[str] = set()


class _Recording:
    """Counts what is answered, and writes each second down when it is over."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._file = Path(RECORD_FILE).open("a", encoding="utf-8")  # noqa: SIM115 -- as long as the process
        self._began = time.monotonic()
        self._number = 0
        self._tallies: dict[Key, Tally] = {}
        self._ended_s: float | None = None
        self._stopped = ""

    def request(
        self,
        request_type: str,
        name: str,
        response_time: float,
        response: Any = None,  # noqa: ANN401 -- locust's, real or made up
        exception: BaseException | None = None,
        **_more: object,
    ) -> None:
        self._turn()
        status = int(getattr(response, "status_code", 0) or 0)
        told = getattr(response, "headers", None) or {}
        cause = getattr(response, "error", None) or exception
        key = Key(
            route=f"{request_type} {name}",
            status=status,
            ok=exception is None,
            instance=str(told.get("x-served-by") or ""),
            fault="" if status else type(cause).__name__,
        )
        self._tallies.setdefault(key, Tally()).add(response_time)
        if status == _REFUSED and not self._stopped:
            self._stop("the server no longer takes the key (401)")

    def begin(self, **_more: object) -> None:
        self._began = time.monotonic()
        gevent.spawn(self._watch)
        gevent.spawn_later(_PLAN["total_s"], self._stop)

    def stopping(self, **_more: object) -> None:
        if self._ended_s is None:
            self._ended_s = time.monotonic() - self._began

    def end(self, **_more: object) -> None:
        self.stopping()
        self._write()

    def _watch(self) -> None:
        while True:
            gevent.sleep(_TICK_S)
            self._turn()
            if os.getppid() != _PARENT:  # nobody is left to tell
                self._stop("its parent has died")

    def _stop(self, why: str = "") -> None:
        self._stopped = self._stopped or why
        if self._environment.runner is not None:
            gevent.spawn(self._environment.runner.quit)

    def _turn(self) -> None:
        number = int(time.monotonic() - self._began)
        if number != self._number:
            self._write()
            self._number = number

    def _write(self) -> None:
        runner = self._environment.runner
        second = Second(
            number=self._number,
            users=0 if runner is None else runner.user_count,
            cpu_percent=0.0 if runner is None else runner.current_cpu_usage,
            tallies=self._tallies,
        )
        self._tallies = {}
        standing = {
            "ended_s": self._ended_s,
            "stopped": self._stopped,
            "left_jobs": sorted(_OPEN_JOBS),
        }
        self._say(line_of(second))
        self._say(json.dumps(standing) + "\n")  # should this be the last that is heard

    def _say(self, line: str) -> None:
        self._file.write(line)
        self._file.flush()


@events.init.add_listener  # type: ignore[untyped-decorator]
def _listen(environment: Environment, **_more: object) -> None:
    recording = _Recording(environment)
    environment.events.request.add_listener(recording.request)
    environment.events.test_start.add_listener(recording.begin)
    environment.events.test_stopping.add_listener(recording.stopping)
    environment.events.quitting.add_listener(recording.end)
    environment.events.quit.add_listener(recording.end)


def _health(user: FastHttpUser) -> None:
    user.client.get("/health")


def _docs(user: FastHttpUser) -> None:
    user.client.get("/docs")


def _list(user: FastHttpUser) -> None:
    user.client.get("/api/jobs?limit=20", name="/api/jobs")


def _system(user: FastHttpUser) -> None:
    user.client.get("/api/system")


def _read(user: FastHttpUser) -> None:
    job_id = random.choice(_PLAN["jobs"])  # noqa: S311 -- no secret
    user.client.get(f"/api/jobs/{job_id}", name="/api/jobs/{job_id}")


def _upload(user: Person) -> None:
    """Send a small survey and have it looked into; the job before it is no longer wanted."""
    user.forget_job()
    answer = user.client.post(
        "/api/uploads?filename=stress.csv",
        data=_survey(next(_NUMBERS)),
        headers={"Content-Type": "text/csv"},
        name="/api/uploads",
    )
    upload_id = _id_of(answer)
    if upload_id is None:
        return
    inspection = user.client.post(
        f"/api/uploads/{upload_id}/inspect?wait=0",
        json={},
        name="/api/uploads/{upload_id}/inspect",
    )
    location = (inspection.headers or {}).get("location") or ""
    if "/api/jobs/" in location:
        user.job = location.rpartition("/")[2]
        _OPEN_JOBS.add(user.job)


def _id_of(answer: Any) -> str | None:  # noqa: ANN401 -- locust's, real or made up
    try:
        found = json.loads(answer.text or "")
    except ValueError:
        return None
    return found.get("id") if isinstance(found, dict) else None


def _survey(number: int) -> str:
    """Make a line of readings, never the same twice: an answer that is kept would not be work."""
    base_nt = 48_000.0 + (os.getpid() % 1000) + number / 1000.0
    rows = (
        f"{500_000 + 25 * row},{6_500_000},1,{base_nt + 3.7 * (row % 17):.3f}"
        for row in range(_ROWS)
    )
    return "easting,northing,line,tmi\n" + "\n".join(rows) + "\n"


_ACTIONS: Mapping[Action, Callable[..., None]] = {
    Action.HEALTH: _health,
    Action.DOCS: _docs,
    Action.LIST: _list,
    Action.SYSTEM: _system,
    Action.READ: _read,
    Action.UPLOAD: _upload,
}

_TASKS = [
    _ACTIONS[Action(name)] for name, weight in _PLAN["weights"].items() for _ in range(weight)
]


class Person(FastHttpUser):  # type: ignore[misc]
    """Somebody who asks one thing after the other without a pause, over a connection of their own."""

    tasks = _TASKS
    wait_time = constant(0)
    default_headers = _PLAN["headers"]
    insecure = False  # the key travels
    max_redirects = 0
    network_timeout = REQUEST_S
    connection_timeout = REQUEST_S
    job = ""

    def forget_job(self) -> None:
        """Cancel the job that was submitted last, so that no more than one a user waits."""
        if not self.job:
            return
        with self.client.delete(
            f"/api/jobs/{self.job}", name="/api/jobs/{job_id}", catch_response=True
        ) as answer:
            if answer.status_code == _ENDED_ALREADY:
                answer.success()
            if answer.ok or answer.status_code == _ENDED_ALREADY:
                _OPEN_JOBS.discard(self.job)
        self.job = ""
