"""A URL means one store, or is refused in words."""

from __future__ import annotations

import asyncio
import datetime as dt

import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.jobs.links import SignedLinks, verify
from quetzalcore.jobs.stores import BucketStore, FolderStore, StoreRefused, open_store


def test_a_file_url_opens_a_folder_and_makes_it(tmp_path) -> None:
    store = open_store(f"file://{tmp_path}/new%20folder")
    assert isinstance(store, FolderStore)
    assert (tmp_path / "new folder" / "files").is_dir()
    assert (tmp_path / "new folder").stat().st_mode & 0o077 == 0


def test_a_folder_links_to_its_files_unless_told_otherwise(tmp_path) -> None:
    link = asyncio.run(open_store(tmp_path.as_uri()).link("a/b c", method="GET", expires_s=60))
    assert link == f"{tmp_path.as_uri()}/files/a/b%20c"


def test_a_folder_can_be_reached_through_the_gateway(tmp_path) -> None:
    secret = b"s" * 32
    links = SignedLinks("http://gateway:8000", secret, clock_ns=lambda: 0)
    link = asyncio.run(
        open_store(tmp_path.as_uri(), links=links).link("a/b", method="PUT", expires_s=60)
    )
    token = link.removeprefix("http://gateway:8000/api/blobs/")
    now = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert verify(token, method="PUT", now=now, secret=secret).key == "a/b"


def test_an_s3_url_opens_a_bucket_without_asking_it() -> None:
    store = open_store(
        "s3://surveys/some/prefix?endpoint=http://127.0.0.1:9&region=eu-west-1",
        access_key_id="id",
        secret_access_key="secret",  # noqa: S106 -- nobody's
    )
    assert isinstance(store, BucketStore)
    link = asyncio.run(store.link("a/b c", method="GET", expires_s=60))
    assert link.startswith("http://127.0.0.1:9/surveys/some/prefix/a/b%20c?")
    assert "X-Amz-Expires=60" in link
    assert "%2Feu-west-1%2Fs3%2F" in link


@pytest.mark.parametrize(
    "url",
    [
        "",
        "artifacts",
        "/var/artifacts",
        "file://host/path",
        "file:relative",
        "ftp://host/x",
        "s3://",
        "s3:///prefix",
        "http://bucket",
    ],
)
def test_any_other_url_is_refused(url) -> None:
    with pytest.raises(BadParameter, match="no artifact store"):
        open_store(url)


def test_a_misspelt_option_is_refused() -> None:
    with pytest.raises(BadParameter, match="'endpiont'"):
        open_store("s3://bucket?endpiont=http://x")


def test_a_place_that_is_no_folder_is_refused_in_words(tmp_path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises((BadParameter, StoreRefused), match="file"):
        open_store(f"file://{tmp_path}/file/below")
