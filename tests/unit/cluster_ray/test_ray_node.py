"""The command lines and environments of Ray nodes, as data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from quetzalcore.cluster.host import HostSettings
from quetzalcore.cluster.ray_access import (
    RaySecurity,
    TlsFiles,
    client_environment,
    restart_delay_s,
)
from quetzalcore.cluster.ray_node import (
    AGENT_RESOURCE,
    RayNode,
    RedisPlace,
    node_environment,
    ray_folder,
    start_command,
)
from quetzalcore.errors import BadParameter

TLS = TlsFiles(certificate=Path("/k/n.crt"), key=Path("/k/n.key"), authority=Path("/k/ca.crt"))
SECURITY = RaySecurity(token_file=Path("/k/token"), tls=TLS)
HEAD = RayNode(
    name="head",
    folder=Path("/d/head"),
    address="10.0.0.1:6380",
    host="10.0.0.1",
    security=SECURITY,
    head=True,
)
AGENT = HostSettings(node_id="north", folder=Path("/d/north/agent"))
WORKER = replace(HEAD, name="north", folder=Path("/d/north"), host="10.0.0.2", head=False)


def after(command: tuple[str, ...], option: str) -> str:
    return command[command.index(option) + 1]


def test_a_head_serves_its_port_and_nothing_that_people_look_at() -> None:
    command = start_command(HEAD, python="/python")
    assert command[:5] == ("/python", "-m", "ray.scripts.scripts", "start", "--head")
    assert after(command, "--port") == "6380"
    assert after(command, "--include-dashboard") == "false"
    assert after(command, "--include-log-monitor") == "false"
    assert {"--no-monitor", "--disable-usage-stats"} <= set(command)
    assert "--address" not in command
    assert "--block" not in command


def test_a_worker_joins_the_head_and_offers_an_agent() -> None:
    command = start_command(replace(WORKER, agent=AGENT), python="/python")
    assert after(command, "--address") == "10.0.0.1:6380"
    assert after(command, "--node-ip-address") == "10.0.0.2"
    assert json.loads(after(command, "--resources")) == {AGENT_RESOURCE: 1}
    assert "--head" not in command
    assert "--port" not in command


def test_a_node_without_an_agent_offers_nothing() -> None:
    command = start_command(WORKER, python="/python")
    assert "--resources" not in command
    assert after(command, "--num-cpus") == "0"


def test_the_agent_learns_what_it_is_from_the_nodes_environment() -> None:
    environment = node_environment(replace(WORKER, agent=AGENT), {"PATH": "/bin"})
    assert HostSettings.model_validate_json(environment["QUETZAL_AGENT"]) == AGENT
    assert environment["QUETZAL_RAY_FOLDER"] == "/d/north"
    assert environment["PATH"] == "/bin"
    assert "QUETZAL_AGENT" not in node_environment(WORKER, {})


def test_every_member_shows_the_token_and_a_certificate() -> None:
    environment = client_environment(SECURITY, {})
    assert environment["RAY_AUTH_MODE"] == "token"
    assert Path(environment["RAY_AUTH_TOKEN_PATH"]) == SECURITY.token_file
    assert environment["RAY_USE_TLS"] == "1"
    assert environment["RAY_TLS_SERVER_CERT"] == "/k/n.crt"
    assert environment["RAY_TLS_SERVER_KEY"] == "/k/n.key"
    assert environment["RAY_TLS_CA_CERT"] == "/k/ca.crt"
    assert "/k/token" not in " ".join(start_command(HEAD, python="/python"))


def test_settings_of_another_ray_do_not_leak_in() -> None:
    outside = {"RAY_AUTH_TOKEN": "other", "RAY_ADDRESS": "elsewhere:1", "RAY_USE_TLS": "0"}
    outside |= {"QUETZAL_AGENT": "{}", "QUETZAL_RAY_FOLDER": "/other", "HOME": "/root"}
    environment = client_environment(RaySecurity(token_file=Path("/k/token")), outside)
    assert environment["HOME"] == "/root"
    assert not {"RAY_AUTH_TOKEN", "RAY_ADDRESS", "RAY_USE_TLS"} & set(environment)
    assert not {"QUETZAL_AGENT", "QUETZAL_RAY_FOLDER"} & set(environment)


def test_usage_reports_and_metrics_are_off() -> None:
    environment = client_environment(SECURITY, {})
    assert environment["RAY_USAGE_STATS_ENABLED"] == "0"
    assert environment["RAY_enable_metrics_collection"] == "0"


def test_only_a_head_keeps_its_state_in_redis() -> None:
    redis = RedisPlace(address="10.0.0.9:6379", namespace="ours", password="hidden")  # noqa: S106 -- made up
    head, worker = replace(HEAD, redis=redis), replace(WORKER, redis=redis)
    assert node_environment(head, {})["RAY_REDIS_ADDRESS"] == "10.0.0.9:6379"
    assert node_environment(head, {})["RAY_external_storage_namespace"] == "ours"
    assert after(start_command(head, python="p"), "--redis-password") == "hidden"
    assert "RAY_REDIS_ADDRESS" not in node_environment(worker, {})
    assert "--redis-password" not in start_command(worker, python="p")
    assert "hidden" not in repr(head)


def test_rediss_port_is_refused_for_the_head() -> None:
    with pytest.raises(BadParameter, match="6379"):
        replace(HEAD, address="10.0.0.1:6379")


def test_a_long_data_folder_does_not_make_sockets_too_long() -> None:
    assert ray_folder(Path("/var/lib/quetzalcore/ray")) == Path("/var/lib/quetzalcore/ray/ray")
    one, other = Path("/srv") / ("a" * 60), Path("/srv") / ("b" * 60)
    assert len(str(ray_folder(one))) < 39
    assert ray_folder(one) == ray_folder(one)
    assert ray_folder(one) != ray_folder(other)


def test_restarts_wait_longer_after_each_failure_but_not_for_ever() -> None:
    delays = [restart_delay_s(failures) for failures in range(50)]
    assert delays[0] == 0.0
    assert delays == sorted(delays)
    assert delays[-1] == 10.0
