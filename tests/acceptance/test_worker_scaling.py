"""Workers that come with a backlog and go when told to, on a real platform, and what operators see of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.servers.platform import PlatformProcesses, eventually, platform_processes

_SIZES = {
    "QUETZAL_WORKER_CPUS": "0.25",
    "QUETZAL_WORKER_MEMORY_MIB": "512",
    "QUETZAL_WARM_NUMERIC": "0",
    "QUETZAL_WARM_BARE": "0",
    "MAX_RUNNERS": "3",
}
_JOBS = 14


@pytest.fixture(scope="module")
def platform(tmp_path_factory) -> Iterator[PlatformProcesses]:
    folder = tmp_path_factory.mktemp("scaling") / "data"
    for processes in platform_processes(folder, _SIZES):
        processes.start("up", "--foreground", name="up")
        processes.ready()
        with processes.client() as client:
            eventually(
                lambda: client.scaling_status()["targets"]["workers"] is not None,
                within_s=30,
                what="the leader has looked at the workers",
            )
        yield processes


@pytest.fixture
def here(platform: PlatformProcesses, monkeypatch: pytest.MonkeyPatch) -> PlatformProcesses:
    """Let commands of this process speak to the platform."""
    monkeypatch.setenv("QUETZAL_DATA_DIR", str(platform.folder))
    return platform


def test_a_backlog_brings_workers_that_take_jobs_and_leave_none_behind(here, quetzal) -> None:
    with here.client() as client:

        def workers(count: int) -> bool:
            there = client.scaling_status()["targets"]["workers"]
            return there is not None and (there["ready"], there["draining"]) == (count, 0)

        ids = [
            client.submit_job({"kind": "noop", "params": {"sleep_s": 1.0, "echo": str(n)}})["id"]
            for n in range(_JOBS)
        ]
        eventually(lambda: workers(3), within_s=60, what="three workers are ready")
        assert quetzal("scale", "workers=1").code == 0
        eventually(
            lambda: all(client.get_job(i)["state"] == "succeeded" for i in ids),
            within_s=60,
            what="every job ended",
        )
        eventually(lambda: workers(1), within_s=30, what="one worker is left")
        jobs = [client.get_job(job_id) for job_id in ids]
    assert [len(job["attempts"]) for job in jobs] == [1] * _JOBS
    assert len({job["attempts"][0]["node"] for job in jobs}) > 1
    shown = quetzal("status")
    assert shown.code == 0, shown.err
    assert "jobs wait, more than 10" in " ".join(shown.out.split())
    history = json.loads(quetzal("status", "--json").out)["scaling"]["history"]
    assert [(one["action"], one["count"], one["by"]) for one in history] == [
        ("down", 2, "admin"),
        ("up", 2, "policy"),
    ]


def test_what_cannot_be_is_refused_with_what_to_do(here, quetzal) -> None:
    for given, said in (
        (("scale", "workers=9"), "1 to 3"),
        (("scale", "instances=3"), "quetzal up --instances"),
        (("scale", "--set", "workers.mist=4"), "no key mist"),
        (("scale", "machines=3"), "no number of workers or instances"),
        (("scale", "--set", "workers"), "no change of a policy"),
        (("scale",), "nothing was asked for"),
        (("scale", "workers=1", "workers=2"), "given twice"),
    ):
        refused = quetzal(*given)
        assert refused.code == 1
        assert said in refused.err


def test_a_policy_changes_while_all_runs(here, quetzal) -> None:
    changed = quetzal("scale", "--set", "workers.most=5", "--set", "workers.use_spot=true")
    assert changed.code == 0, changed.err
    assert "most=5" in changed.out
    back = quetzal("scale", "--set", "workers.most=", "--json")
    assert json.loads(back.out)["items"] == [{"target": "workers", "changes": {"use_spot": True}}]
