"""The provider's file."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.provider_settings import (
    MODELS,
    AwsSettings,
    DockerSettings,
    HostsSettings,
    KubernetesSettings,
    LocalSettings,
    ProviderSettings,
    read_provider_file,
)
from quetzalcore.errors import BadParameter
from quetzalcore.settings import Settings

AWS = """
image = "ami-1"
region = "eu-west-1"
access_key_id = "id"
secret_file = "/run/secrets/aws"
[[shapes]]
name = "large"
cpus = 8
memory_mib = 16384
hourly_price = 0.4
size = "m6i.2xlarge"
[[shapes]]
name = "small"
cpus = 2
memory_mib = 4096
hourly_price = 0.1
spot = true
"""


def _read(tmp_path: Path, provider: str, text: str) -> ProviderSettings:
    path = tmp_path / "provider.toml"
    path.write_text(text, encoding="utf-8")
    return read_provider_file(provider, path)


def test_every_provider_of_the_settings_has_a_model() -> None:
    known = set(get_args(Settings.model_fields["provider"].annotation))
    assert set(MODELS) == known - {"none"}


def test_without_a_file_there_are_defaults() -> None:
    assert read_provider_file("local", None) == LocalSettings()
    assert read_provider_file("docker", None) == DockerSettings()
    assert read_provider_file("hosts", None) == HostsSettings()


def test_shapes_come_cheapest_first_with_the_providers_own_word(tmp_path) -> None:
    settings = _read(tmp_path, "aws", AWS)
    assert isinstance(settings, AwsSettings)
    small, large = settings.offered()
    assert small == Shape(name="small", cpus=2, memory_mib=4096, hourly_price=0.1, spot=True)
    assert (settings.size_of(small), settings.size_of(large)) == ("small", "m6i.2xlarge")


def test_a_shape_that_is_not_offered_is_refused() -> None:
    with pytest.raises(BadParameter, match="choose from small, medium, large"):
        DockerSettings().size_of(Shape(name="huge", cpus=1, memory_mib=512))


@pytest.mark.parametrize(
    ("provider", "text", "said"),
    [
        ("docker", "imgae = 'x'", "there is no key imgae"),
        ("docker", "cluster = 'My Cluster'", "cluster is 'My Cluster'"),
        ("aws", AWS.replace("small", "large"), "two shapes have the same name"),
        ("aws", AWS.replace("[[", "security_groups = ['sg-1']\n[[", 1), "need a subnet"),
        ("aws", "", "field required"),
        ("kubernetes", "shapes = []", "shapes is"),
        ("azure", AWS, "ami-1"),
        ("hosts", "port = 0", "port is 0"),
        ("local", "cpus = [", "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence(tmp_path, provider, text, said) -> None:
    with pytest.raises(BadParameter, match=said):
        _read(tmp_path, provider, text)


def test_a_file_that_is_not_there_is_refused(tmp_path) -> None:
    with pytest.raises(BadParameter, match="cannot be read"):
        read_provider_file("local", tmp_path / "none.toml")


def test_a_ray_cluster_needs_its_groups() -> None:
    shapes = ({"name": "small", "cpus": 2, "memory_mib": 4096, "size": "group-a"},)
    settings = KubernetesSettings.model_validate({"shapes": shapes})
    assert settings.size_of(settings.offered()[0]) == "group-a"
