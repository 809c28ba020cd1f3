"""What the compose files promise, read without an engine; ``make test-docker`` runs them."""

from __future__ import annotations

import re

import pytest
import yaml
from tests.unit.deploy.manifests import COMPOSE

from quetzalcore.settings import ALIASES, Settings

_WHOLE = ("docker-compose.yml", "docker-compose.worker.yml", "docker-compose.mac.yml")
_SERVICES = [
    pytest.param(service, id=f"{file}-{name}")
    for file in _WHOLE
    for name, service in yaml.safe_load((COMPOSE / file).read_text())["services"].items()
]


@pytest.mark.parametrize("service", _SERVICES)
def test_every_service_is_bounded_unprivileged_and_cannot_write_to_its_root(service) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["user"].split(":")[0]) > 0
    assert {"mem_limit", "cpus", "pids_limit", "healthcheck"} <= set(service)
    assert "privileged" not in service
    assert "cap_add" not in service


@pytest.mark.parametrize("service", _SERVICES)
def test_whoever_waits_waits_for_health(service) -> None:
    waits = service.get("depends_on", {})
    assert all(other == {"condition": "service_healthy"} for other in waits.values())


@pytest.mark.parametrize("file", sorted(COMPOSE.glob("*.yml")), ids=lambda file: file.name)
def test_every_variable_is_a_setting_that_the_platform_knows(file) -> None:
    for service in yaml.safe_load(file.read_text())["services"].values():
        for variable in service.get("environment", {}):
            name = variable.removesuffix("_FILE")
            if name.startswith("QUETZAL_") and variable not in ALIASES:
                fields = {one.removeprefix("QUETZAL_").lower() for one in (name, variable)}
                assert fields & set(Settings.model_fields), variable


@pytest.mark.parametrize("file", sorted(COMPOSE.glob("*.yml")), ids=lambda file: file.name)
def test_no_secret_has_a_default(file) -> None:
    text = file.read_text()
    assert not re.search(r"(PASSWORD|SECRET_KEY|JOIN_KEY)\b[^_\n]*:-[^}]", text)
    secrets = yaml.safe_load(text).get("secrets", {})
    assert all(set(secret) == {"file"} for secret in secrets.values())
