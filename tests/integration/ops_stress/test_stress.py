"""``quetzal stress`` against a real gateway: locust in a process of its own, on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.servers.gateway import LiveGateway, live
from typer.testing import CliRunner, Result

from quetzalcore.cli.main import app
from quetzalcore.errors import QuetzalError
from quetzalcore.identity.limits import RateLimiter, parse_rules

_LIMITED = 60
_COMMAND = (sys.executable, "-c", "from quetzalcore.cli.main import run; run()", "stress")
_PATIENCE_S = 60.0


def environment(gateway: LiveGateway, folder: Path, *, key: str = "") -> Mapping[str, str]:
    return {
        "QUETZAL_DATA_DIR": str(folder / "data"),
        "QUETZAL_API_KEY": key or gateway.platform.keys["root"],
        "TMPDIR": str(folder),
    }


@contextmanager
def worker(gateway: LiveGateway) -> Iterator[None]:
    """Do every job at once."""

    async def begin() -> asyncio.Event:
        return asyncio.Event()

    until = gateway.call(begin())
    gateway.spawn(gateway.platform.run_all({"columns": []}, until=until))
    try:
        yield
    finally:

        async def end() -> None:
            until.set()

        gateway.call(end())


def quetzal(options: list[str], given: Mapping[str, str], monkeypatch) -> Result:
    """Run the command within this process: it starts sooner."""
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return CliRunner().invoke(app, ["stress", *options])


def test_a_mixed_load_is_measured_by_route_and_instance(tmp_path, monkeypatch) -> None:
    with live() as gateway, worker(gateway):
        options = ["--url", gateway.url, "--users", "5", "--duration", "3", "--ramp-up", "0"]
        ran = quetzal(
            [*options, "-o", str(tmp_path / "out"), "--json"],
            environment(gateway, tmp_path),
            monkeypatch,
        )
        served = gateway.app.state.gateway.run_id
        answered = next(gateway.app.state.gateway.numbers)
    assert ran.exit_code == 1, ran.stderr
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    printed = ran.stdout[("\n" + ran.stdout).rindex("\n{\n") :]  # after the gateway's own log
    assert report == json.loads(printed)
    assert report["verdict"]["outcome"] == "too short to judge"
    figures = report["figures"]
    assert (figures["users"], figures["errors"], figures["outcomes"]) == (5, 0, {})
    assert 50 < figures["requests"] <= answered
    assert [each["instance"] for each in figures["instances"]] == [served]
    assert figures["instances"][0]["requests"] >= 0.9 * figures["requests"]
    routes = {each["route"] for each in figures["routes"]}
    assert {"GET /api/jobs/{job_id}", "GET /health", "GET /api/system", "GET /api/jobs"} <= routes
    assert all(each["p50_ms"] <= each["p95_ms"] <= each["max_ms"] for each in figures["routes"])
    assert sum(each["requests"] for each in figures["routes"]) == figures["requests"]
    assert figures["seconds"] == pytest.approx(3.0, abs=0.3)
    assert report["history"][-1]["users"] == 5
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.index("The run is too short to judge.") < page.index("POST /api/uploads")
    assert gateway.platform.keys["root"] not in page + ran.stdout + ran.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"out", "data"}


def records(folder: Path) -> list[str]:
    """Read what runs are writing down."""
    return [path.read_text() for path in folder.glob("quetzal-stress-*/record.jsonl")]


def test_an_interrupted_run_ends_its_load_and_tells_what_ran(tmp_path) -> None:
    rules = parse_rules({"requests": f"{_LIMITED}/hour", "login": "10/minute"})
    with live(limiter=RateLimiter("memory://", rules)) as gateway:
        process = subprocess.Popen(
            [*_COMMAND, "--url", gateway.url, "--users", "3", "--duration", "60", "--ramp-up", "0",
             "--scenario", "upload", "-o", str(tmp_path / "out")],
            env=os.environ | environment(gateway, tmp_path, key=gateway.platform.keys["ada"]),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        try:
            until = time.monotonic() + _PATIENCE_S
            while not any('"status": 429' in text for text in records(tmp_path)):
                assert time.monotonic() < until, "no load came"
                assert process.poll() is None, process.communicate()
                time.sleep(0.05)
            shown = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            secrets = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in shown]
            process.send_signal(signal.SIGINT)
            said, complained = process.communicate(timeout=_PATIENCE_S)
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 1, complained
    assert "it was interrupted after" in said
    assert "QUETZAL_RATE_LIMIT_EXEMPT" in said
    assert shown
    assert not any(gateway.platform.keys["ada"].encode() in text for text in secrets)
    assert not any(Path(f"/proc/{pid}").exists() for pid in shown)
    figures = json.loads((tmp_path / "out" / "report.json").read_text())["figures"]
    assert figures["limited_by_instances"] > 0
    assert figures["outcomes"] == {"429 Too Many Requests": figures["errors"]}
    assert "may still run: the rate limit is used up" in complained
    assert {path.name for path in tmp_path.iterdir()} == {"out", "data"}


def test_a_wrong_key_stops_before_any_load(tmp_path, monkeypatch) -> None:
    with live() as gateway:
        given = environment(gateway, tmp_path, key="qz_of_nobody")
        ran = quetzal(["--url", gateway.url], given, monkeypatch)
        answered = next(gateway.app.state.gateway.numbers)
    assert isinstance(ran.exception, QuetzalError)
    assert "the key is not valid" in str(ran.exception)
    assert answered == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--users", "0"], "--users is 0"),
        (["--url", "survey.example.org"], "--url is"),
        (["--exempt-file", "/nowhere"], "the balancer's secret cannot be read"),
        (["--output", "/dev/null/report"], "the report cannot be written"),
        (["--url", "http://127.0.0.1:9"], "cannot be reached"),
    ],
)
def test_bad_input_is_told_in_a_sentence(options, words, tmp_path, monkeypatch) -> None:
    given = {"QUETZAL_DATA_DIR": str(tmp_path / "data"), "QUETZAL_API_KEY": "qz_of_nobody"}
    ran = quetzal(options, given, monkeypatch)
    assert isinstance(ran.exception, QuetzalError)
    assert words in str(ran.exception)
