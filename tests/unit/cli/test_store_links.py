"""Agents on other hosts get links that lead to the store, or the role does not start."""

from __future__ import annotations

import pytest

from quetzalcore.cli.store_links import links_for
from quetzalcore.errors import BadParameter
from quetzalcore.jobs.links import FileLinks, SignedLinks
from quetzalcore.settings import Settings

SECRET = b"sixteen bytes or more"
FOLDER = "file:///var/lib/artifacts"
S3 = "s3://surveys?endpoint=http://127.0.0.1:9000"


def ray(**given: object) -> Settings:
    return Settings.model_validate({"engine": "ray", "ray_host": "10.0.0.2", **given})


def test_on_one_host_files_are_moved_within_the_folder() -> None:
    assert isinstance(links_for(Settings(), FOLDER, secret=SECRET), FileLinks)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"public_url": "http://localhost:8000"},
        {"public_url": "http://127.0.0.2:8000"},
        {"public_url": "http://[::1]:8000"},
        {"host": "0.0.0.0"},  # noqa: S104 -- what many operators set
        {"host": "::"},
        {"ray_host": "", "ray_address": "10.0.0.2:6380"},
    ],
)
def test_a_folder_without_an_address_for_other_hosts_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(BadParameter, match="workers on other hosts") as refused:
        links_for(ray(**given), FOLDER, secret=SECRET)
    assert "QUETZAL_PUBLIC_URL" in refused.value.hint


@pytest.mark.parametrize(
    "given",
    [
        {"public_url": "https://gateway.example.org"},
        {"host": "10.0.0.2"},
        {"ray_host": "127.0.0.1"},
        {"ray_host": "", "ray_address": "localhost:6380"},
        {"ray_host": "::1"},
    ],
)
def test_a_folder_that_every_worker_reaches_through_the_gateway_is_taken(
    given: dict[str, str],
) -> None:
    assert isinstance(links_for(ray(**given), FOLDER, secret=SECRET), SignedLinks)


def test_a_bucket_needs_no_public_url_but_an_endpoint_for_all() -> None:
    assert isinstance(links_for(ray(), "s3://surveys", secret=SECRET), SignedLinks)
    assert isinstance(
        links_for(ray(), S3.replace("127.0.0.1", "s3.example.org"), secret=SECRET), SignedLinks
    )
    assert isinstance(links_for(ray(ray_host="127.0.0.1"), S3, secret=SECRET), SignedLinks)
    with pytest.raises(BadParameter, match=r"127\.0\.0\.1:9000 \(artifacts_url\)"):
        links_for(ray(), S3, secret=SECRET)
