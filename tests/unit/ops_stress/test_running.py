"""The process that makes the load: what it is given, and what is left when it fails."""

from __future__ import annotations

import os
import signal
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.ops_stress.loads import PLAN, key, second, tally

from quetzalcore.ops.stress import running as stress_running
from quetzalcore.ops.stress.plan import Action
from quetzalcore.ops.stress.record import line_of
from quetzalcore.ops.stress.running import LoadFailed, Users, _write_secret, run_load

USERS = Users(weights={Action.READ: 1}, headers={"Authorization": "Bearer qz_x"})
LINE = line_of(second(6, {key(): tally(3, 5.0)}))


@pytest.fixture
def script(monkeypatch) -> Callable[[str], None]:
    """Run a script in locust's place."""

    def put(text: str) -> None:
        monkeypatch.setattr(
            stress_running, "locust_command", lambda _plan: (sys.executable, "-S", "-c", text)
        )

    return put


def test_only_its_owner_reads_the_plan(tmp_path) -> None:
    _write_secret(tmp_path / "plan.json", PLAN, USERS)
    assert stat.S_IMODE((tmp_path / "plan.json").stat().st_mode) == 0o600
    assert "qz_x" not in repr(USERS)


def test_what_was_written_down_is_given(script) -> None:
    script(f"open('record.jsonl', 'w').write({LINE!r}); assert open('plan.json').read()")
    record = run_load(PLAN, USERS, environment=os.environ)
    assert [each.number for each in record.seconds] == [6]
    assert record.stopped == ""


def test_a_load_that_did_not_begin_is_told_with_its_last_words(script) -> None:
    script("import sys; sys.exit('no module named gevent')")
    with pytest.raises(LoadFailed, match="no module named gevent"):
        run_load(PLAN, USERS, environment=os.environ)


def test_one_that_does_not_listen_is_ended_by_force_with_its_children(
    script, monkeypatch, tmp_path
) -> None:
    monkeypatch.setattr(stress_running, "_END_S", 0.2)
    pids = tmp_path / "pids"
    script(
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = os.fork()\n"
        f"open('record.jsonl', 'w').write({LINE!r})\n"
        f"if child: open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child}}')\n"
        "time.sleep(60)\n"
    )

    def interrupt(_share: float) -> None:
        if pids.is_file() and pids.read_text():
            signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGTERM)
    record = run_load(PLAN, USERS, environment=os.environ, advanced=interrupt)
    assert "interrupted" in record.stopped
    assert len(record.seconds) == 1
    until = time.monotonic() + 10
    while not all(_ended(pid) for pid in pids.read_text().split()):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert signal.getsignal(signal.SIGTERM) is before


def _ended(pid: str) -> bool:
    path = Path(f"/proc/{pid}/stat")
    return not path.exists() or path.read_text().rpartition(")")[2].split()[0] == "Z"
