"""The shipped containers, really run: a survey, more workers, deaths, an upgrade (``make test-docker``)."""

from __future__ import annotations

import os
import ssl
import time

import httpx
import pytest
from tests.docker.images import run
from tests.docker.stack import FOLDER, WALLED, crash, until
from tests.docker.trickle import trickle

_ASK_INSIDE = """
import urllib.error, urllib.request
try:
    answer = urllib.request.urlopen("http://balancer:8082/ready", timeout=10)
    print(answer.status, answer.url)
except urllib.error.HTTPError as refusal:
    print(refusal.status, refusal.url, refusal.read())
except OSError as error:
    print(repr(error))
"""
pytestmark = [pytest.mark.docker, pytest.mark.slow]


def test_a_survey_sent_through_the_balancer_ends_with_drill_targets(stack, surveys) -> None:
    stack.scale_workers(1)
    began = time.monotonic()
    job = stack.ended(stack.send_survey(surveys[1])["id"])
    print(f"the survey took {time.monotonic() - began:.0f} s")  # noqa: T201
    assert job["state"] == "succeeded", job["error"]
    assert job["result"]["survey_info"]["num_stations"] > 10_000
    assert job["result"]["drill_targets"]
    with stack.client() as client:
        report = client.get(f"/api/jobs/{job['id']}/artifacts/report.html")
    assert report.status_code == 200
    assert b"<html" in report.content


def test_every_port_that_scripts_know_leads_to_the_same_platform(stack) -> None:
    for name in ("HTTP", "ALT", "GATEWAY", "DASHBOARD", "WEBSOCKET"):
        port = stack.ports[f"QUETZAL_{name}_PORT"]
        with stack.client() as client:
            answer = client.get(f"http://{stack.host}:{port}/health")
        assert answer.json()["components"]["ledger"]["status"] == "ok", name


def test_workers_grow_from_one_to_three_and_work_spreads_over_them(stack) -> None:
    stack.scale_workers(1)
    began = time.monotonic()
    stack.scale_workers(3)
    print(f"from 1 to 3 workers in {time.monotonic() - began:.0f} s")  # noqa: T201
    names = {one["Id"][:12] for one in stack.containers("worker", group="w")}
    assert {node["id"] for node in stack.ready_nodes()} == names
    with stack.client() as client:
        jobs = [
            client.post(
                "/api/jobs", json={"kind": "noop", "params": {"sleep_s": 3.0, "echo": str(n)}}
            )
            for n in range(3)
        ]
    ended = [stack.ended(job.json()["id"], limit_s=60) for job in jobs]
    assert [job["state"] for job in ended] == ["succeeded"] * 3
    assert {job["attempts"][-1]["node"] for job in ended} == names


def test_a_job_outlives_the_container_that_ran_it(stack, surveys) -> None:
    stack.scale_workers(2)
    sent = stack.send_survey(surveys[2])["id"]
    until(lambda: stack.job(sent)["state"] in {"running", "succeeded"}, limit_s=60, what="it runs")
    node = stack.job(sent)["attempts"][-1]["node"]
    stack.builder.docker("kill", node)
    began = time.monotonic()
    job = stack.ended(sent)
    print(f"ended elsewhere {time.monotonic() - began:.0f} s after the kill")  # noqa: T201
    assert job["state"] == "succeeded", job["error"]
    assert [attempt["state"] for attempt in job["attempts"]] == ["lost", "succeeded"]
    assert job["attempts"][-1]["node"] != node
    stack.builder.docker("rm", "--force", "--volumes", node)


def test_a_gateway_that_dies_is_started_again_and_nobody_notices(stack) -> None:
    stack.compose("up", "-d", "--no-recreate", "--scale", "gateway=2")
    stack.until_healthy("gateway")
    victim = stack.containers("gateway")[0]
    with trickle(stack.url, stack.key, posts=False) as seen:
        crash(victim)
        until(
            lambda: any(
                one["Id"] == victim["Id"]
                and one["RestartCount"] > victim["RestartCount"]
                and one["State"]["Health"]["Status"] == "healthy"
                for one in stack.containers("gateway")
            ),
            limit_s=90,
            what="the engine starts the gateway again",
        )
        # Also while the balancer takes its silence in, after 6 s, and its return.
        until(lambda: seen.asked > 100, limit_s=60, what="a hundred requests")
    print(f"{len(seen.failures)} of {seen.asked} requests failed")  # noqa: T201
    assert seen.failures == []


def test_a_backlog_brings_containers_and_its_end_removes_them(stack, tmp_path) -> None:
    stack.scale_workers(1)
    provider = tmp_path / "provider.toml"
    shipped = (FOLDER / "docker-provider.toml").read_text()
    for old, new in (
        ('image = "quetzalcore:latest"', f'image = "{stack.image}"\ncluster = "{stack.name}"'),
        ('network = "quetzalcore"', f'network = "{stack.name}"'),
        ("6144", "2560"),
        ("4096", "1024"),
    ):
        assert old in shipped
        shipped = shipped.replace(old, new)
    provider.write_text(shipped)
    provider.chmod(0o444)
    before = {node["id"] for node in stack.ready_nodes()}
    with stack.autoscaling(provider):
        with stack.client() as client:
            sent = [
                client.post(
                    "/api/jobs",
                    json={"kind": "noop", "params": {"sleep_s": 6.0, "echo": f"load {n}"}},
                )
                for n in range(14)
            ]
        made = until(stack.made_by_master, limit_s=90, what="a container is made")
        ended = [stack.ended(one.json()["id"], limit_s=240) for one in sent]
        assert [job["state"] for job in ended] == ["succeeded"] * 14
        took = {job["attempts"][-1]["node"] for job in ended}
        assert took - before, "what was made took work"
        assert all(len(job["attempts"]) == 1 for job in ended)  # none was run twice
        until(lambda: not stack.made_by_master(), limit_s=180, what="the containers are gone")
    print(f"{len(made)} containers made, {len(took)} nodes took work")  # noqa: T201


def test_an_upgrade_fails_no_request(stack, images) -> None:
    stack.scale_workers(1)
    stack.until_healthy("gateway")
    before = {one["Id"] for one in stack.containers("gateway")}
    began = time.monotonic()
    with trickle(stack.url, stack.key) as seen:
        run(
            (str(FOLDER / "upgrade.sh"),),
            environment=stack.environment(images["1.0.1"]),
        )
    print(f"upgraded in {time.monotonic() - began:.0f} s")  # noqa: T201
    print(f"{len(seen.failures)} of {seen.asked} requests failed")  # noqa: T201
    assert seen.failures == []
    assert seen.asked > 200
    assert seen.accepted
    until(  # nothing that was accepted is lost
        lambda: stack.states(seen.accepted) == {"succeeded"},
        limit_s=240,
        what=f"{len(seen.accepted)} accepted jobs succeed",
        every_s=5,
    )
    assert set(seen.versions) == {"1.0.0", "1.0.1"}
    after = stack.containers("gateway")
    assert len(after) == len(before)
    assert {one["Config"]["Image"] for one in after} == {images["1.0.1"]}
    assert not before & {one["Id"] for one in after}
    stack.image = images["1.0.0"]
    run((str(FOLDER / "upgrade.sh"),), environment=stack.environment())  # and back again


def test_a_walled_worker_enforces_every_limit(stack) -> None:
    stack.workers("up", "-d", files=WALLED, group="x")
    try:
        walled = stack.containers("worker", group="x")[0]["Id"][:12]
        nodes = until(
            lambda: [node for node in stack.ready_nodes() if node["id"] == walled],
            limit_s=90,
            what="the walled worker is ready",
        )
        assert [(node["trust"], node["runtime"]) for node in nodes] == [("tenant", "crun")]
    finally:
        stack.workers("down", "-v", files=WALLED, group="x")


def test_no_service_is_root_or_privileged_or_writes_to_its_root(stack) -> None:
    services = ("postgres", "redis", "head", "master", "gateway", "balancer")
    found = [one for service in services for one in stack.containers(service)]
    found += stack.containers("worker", group="w")
    assert len(found) >= len(services)
    for one in found:
        host, name = one["HostConfig"], one["Name"]
        assert one["Config"]["User"] not in {"", "root", "0", "0:0"}, name
        assert host["ReadonlyRootfs"], name
        assert not host["Privileged"], name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["CapAdd"], name
        assert host["Memory"] > 0, name
        assert host["NanoCpus"] > 0, name
        assert os.stat(f"/proc/{one['State']['Pid']}").st_uid != 0, name  # noqa: PTH116 -- its owner


def test_secrets_are_in_no_image_and_no_environment(stack, images) -> None:
    secrets = [
        file.read_text().strip()
        for file in stack.secrets.iterdir()
        if file.name in {"postgres_password", "redis_password", "secret_key", "join_key"}
    ]
    assert len(secrets) == 4
    told = stack.builder.docker("history", "--no-trunc", images["1.0.0"])
    told += stack.builder.docker("inspect", images["1.0.0"])
    for service in ("postgres", "redis", "head", "master", "gateway"):
        told += "".join(str(one["Config"]) for one in stack.containers(service))
    assert not [secret for secret in secrets if secret in told]
    assert "PIP_FIND_LINKS" not in told  # how the image was built stays where it was built


def test_with_a_certificate_users_of_plain_http_are_sent_to_https(stack) -> None:
    over = ("-f", "docker-compose.yml", "-f", "docker-compose.tls.yml")
    certificate, key = stack.secrets / "tls_certificate", stack.secrets / "tls_key"
    run(
        (
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=quetzal.test", "-addext", f"subjectAltName=IP:{stack.host}"),
            *("-keyout", str(key), "-out", str(certificate)),
        )
    )
    key.chmod(0o444)
    port = stack.ports["QUETZAL_HTTPS_PORT"]
    try:
        stack.compose(*over, "up", "-d", "--no-deps", "balancer")
        stack.until_healthy("balancer")
        answer = httpx.get(f"{stack.url}/health", timeout=10)
        assert answer.status_code == 308
        assert answer.headers["location"] == f"https://{stack.host}/health"
        trusted = ssl.create_default_context(cafile=str(certificate))
        answer = httpx.get(f"https://{stack.host}:{port}/health", verify=trusted, timeout=10)
        assert answer.json()["components"]["ledger"]["status"] == "ok"
        assert "max-age" in answer.headers["strict-transport-security"]
        # Workers in the stack's network stay on plain HTTP: no certificate has the name they ask.
        gateway = stack.containers("gateway")[0][
            "Id"
        ]  # compose's exec knows only the first by number
        said = stack.builder.docker("exec", gateway, "python3", "-c", _ASK_INSIDE)
        assert said.strip() == "200 http://balancer:8082/ready", said
    finally:
        stack.compose("up", "-d", "--no-deps", "balancer")
        stack.until_healthy("balancer")


def test_the_laptop_file_runs_everything_in_one_container(stack) -> None:
    files = ("-p", f"{stack.name}l", "-f", "docker-compose.mac.yml")
    try:
        stack.compose(*files, "up", "-d")

        def healthy() -> bool:
            (one,) = stack.containers("platform", group="l")
            return one["State"]["Health"]["Status"] == "healthy"

        until(healthy, limit_s=120, what="the platform is healthy")
        said = stack.compose(
            *files, "exec", "-T", "platform", "quetzal", "igrf",
            *("--longitude", "25", "--latitude", "-24", "--height", "1000", "--date", "2024-05-14"),
        )  # fmt: skip
        assert "28123" in said
    finally:
        stack.compose(*files, "down", "-v", "--timeout", "5")
