"""The platform from the command line, on a running one: jobs, accounts, tenants, status, up and down."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.servers.platform import PlatformProcesses, free_port, platform_processes

from quetzalcore.errors import QuetzalError


@pytest.fixture(scope="module")
def platform(tmp_path_factory) -> Iterator[PlatformProcesses]:
    folder = tmp_path_factory.mktemp("platform") / "data"
    for processes in platform_processes(folder):
        processes.start("up", "--foreground", name="up")
        processes.ready()
        yield processes


@pytest.fixture
def here(platform: PlatformProcesses, monkeypatch: pytest.MonkeyPatch) -> PlatformProcesses:
    """Let commands of this process speak to the platform."""
    monkeypatch.setenv("QUETZAL_DATA_DIR", str(platform.folder))
    return platform


def user_key(quetzal, name: str, tenant: str, role: str = "client") -> str:
    assert quetzal("user", "add", name, "--role", role, "--tenant", tenant).code == 0
    made = quetzal("key", "create", "--user", name, "--label", "test")
    assert made.code == 0, made.err
    return str(made.out.strip())


def test_a_job_is_submitted_watched_and_shown(here, quetzal) -> None:
    done = quetzal("submit", "noop", "-p", "echo=hello", "--wait")
    assert done.code == 0, done.err
    assert json.loads(done.out) == {"echo": "hello"}
    listed = json.loads(quetzal("jobs", "list", "--state", "succeeded", "--json").out)
    job_id = listed["items"][0]["id"]
    shown = quetzal("jobs", "show", job_id)
    assert "noop" in shown.out
    assert "succeeded" in shown.out
    assert json.loads(quetzal("jobs", "show", job_id, "--json").out)["result"] == {"echo": "hello"}
    assert quetzal("jobs", "logs", job_id).code == 0


def test_a_survey_through_the_platform_has_the_grids_of_a_run_without_it(
    here, quetzal, rows, tmp_path: Path
) -> None:
    survey = tmp_path / "survey.csv"
    survey.write_text(rows.csv())
    given = ("--crs", "EPSG:28354", "--date", "2024-05-14", "-o", tmp_path / "alone", "--quiet")
    alone = quetzal("survey", "run", survey, *given)
    assert alone.code == 0, alone.err
    params = tmp_path / "params.json"
    params.write_text('{"input": {"crs": "EPSG:28354", "date": "2024-05-14"}}')
    sent = quetzal(
        "submit", "mag_survey", survey, "--params", params, "-o", tmp_path / "sent", "--quiet"
    )
    assert sent.code == 0, sent.err
    for grid in ("grids/tmi.tif", "targets.csv"):
        assert (tmp_path / "sent" / grid).read_bytes() == (tmp_path / "alone" / grid).read_bytes()


def test_a_bad_survey_is_refused_in_the_words_of_its_reader(here, quetzal, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("a,b\n1,2\n")
    refused = quetzal("submit", "mag_survey", bad, "--wait", "--quiet")
    assert refused.code == 1
    assert "bad.csv" in refused.err or "column" in refused.err
    assert "Traceback" not in refused.err


def test_a_waiting_job_is_cancelled_and_run_again(here, quetzal) -> None:
    job_id = quetzal("submit", "noop", "-p", "sleep_s=60").out.strip()
    assert quetzal("jobs", "cancel", job_id).out.strip() in {"cancelling", "cancelled"}
    with here.client() as client:
        assert client.wait(job_id)["state"] == "cancelled"
    assert quetzal("jobs", "retry", job_id).out.strip() == "queued"
    assert quetzal("jobs", "cancel", job_id).code == 0


def test_an_unknown_kind_names_the_kinds_there_are(here, quetzal) -> None:
    refused = quetzal("submit", "alchemy")
    assert refused.code == 1
    assert "mag_survey" in refused.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("submit", "noop", "-p", "echo"), "NAME=JSON"),
        (("submit", "noop", "--params", "nowhere.json"), "cannot be read"),
        (("submit", "inspect", "nowhere.csv"), "nowhere.csv"),
        (("jobs", "show", "nosuchjob"), "no"),
        (("user", "add", "x", "--role", "king", "--tenant", "t"), "admin, analyst, client"),
        (("logs", "nothing"), "there is no log"),
    ],
)
def test_a_wrong_command_says_what_to_do(
    here, quetzal, arguments: tuple[str, ...], said: str
) -> None:
    refused = quetzal(*arguments)
    assert refused.code == 1
    assert said in refused.err


def test_two_tenants_see_nothing_of_each_other(here, quetzal) -> None:
    keys = {name: user_key(quetzal, f"{name}-person", name) for name in ("north", "south")}
    with here.client(keys["north"]) as north, here.client(keys["south"]) as south:
        job = north.submit_job({"kind": "igrf", "params": {"points": [
            {"longitude": 10.0, "latitude": 50.0, "height_m": 0.0, "date": "2024-01-01"}]}})  # fmt: skip
        assert south.list_jobs()["items"] == []
        for forbidden in (
            lambda: south.get_job(job["id"]),
            lambda: south.cancel_job(job["id"]),
            lambda: south.get_job_logs(job["id"]),
            lambda: south.list_artifacts(job["id"]),
            lambda: next(south.events(job["id"])),
            south.list_users,
            south.list_nodes,
        ):
            with pytest.raises(QuetzalError):
                forbidden()


def test_a_revoked_key_and_a_disabled_user_are_out(here, quetzal) -> None:
    key = user_key(quetzal, "leaver", "west")
    with here.client(key) as client:
        assert client.list_jobs()["items"] == []
    key_id = json.loads(quetzal("key", "list", "--user", "leaver", "--json").out)["items"][0]["id"]
    assert quetzal("key", "revoke", key_id).code == 0
    assert quetzal("user", "disable", "leaver").code == 0
    listed = json.loads(quetzal("user", "list", "--tenant", "west", "--json").out)["items"]
    assert listed[0]["disabled"]
    assert "revoked" in quetzal("key", "list", "--user", "leaver").out
    assert "disabled" in quetzal("user", "list").out


def test_status_shows_parts_nodes_and_jobs(here, quetzal) -> None:
    shown = quetzal("status")
    assert shown.code == 0
    assert "ledger" in shown.out
    told = json.loads(quetzal("status", "--json").out)
    assert told["health"]["components"]["cache_stats"]["hit_rate"] >= 0
    assert len(told["nodes"]) == 1


def test_the_logs_are_at_hand(here, quetzal) -> None:
    assert quetzal("logs", "agent").code == 0


def test_doctor_says_what_works(here, quetzal) -> None:
    checks = {c["name"]: c for c in json.loads(quetzal("doctor", "--json").out)["checks"]}
    assert checks["gateway port"]["verdict"] in {"ok", "broken"}
    assert checks["sandbox process"]["found"]
    assert all(check["remedy"] for check in checks.values() if check["verdict"] == "broken")


@pytest.fixture
def own_place(quetzal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let commands of this process mean a platform of their own; stop it in the end."""
    monkeypatch.setenv("QUETZAL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("QUETZAL_PORT", str(free_port()))
    monkeypatch.setenv("QUETZAL_MASTER_PORT", str(free_port()))
    yield
    quetzal("down")


def test_a_started_platform_is_found_stopped_and_started_again_with_its_jobs(
    own_place, quetzal, tmp_path: Path
) -> None:
    first = quetzal("up")
    assert first.code == 0, first.err
    assert "qz_" in first.out
    credentials = tmp_path / "data" / "admin-credentials"
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o600
    assert "runs already" in quetzal("up").err
    job_id = quetzal("submit", "noop", "-p", "sleep_s=600").out.strip()
    assert quetzal("down").out.strip() == "Stopped."
    assert "Nothing runs" in quetzal("down").err
    assert quetzal("jobs", "list").code == 1
    again = quetzal("up", "--json")
    assert "qz_" not in again.out
    assert json.loads(quetzal("jobs", "show", job_id, "--json").out)["state"] not in {
        "succeeded", "failed", "cancelled",
    }  # fmt: skip
    assert quetzal("jobs", "cancel", job_id).code == 0
    pid = json.loads(again.out)["pid"]
    assert quetzal("down").code == 0
    assert psutil.Process(pid).status() == psutil.STATUS_ZOMBIE  # ours to collect: `up` ran in here


def test_a_taken_port_stops_the_start_with_one_sentence(
    platform, quetzal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUETZAL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("QUETZAL_PORT", str(platform.port))
    monkeypatch.setenv("QUETZAL_MASTER_PORT", "0")
    refused = quetzal("up")
    quetzal("down")  # of nothing, unless this fails
    assert refused.code == 1
    assert "cannot be listened on" in refused.err
    assert "Traceback" not in refused.err
