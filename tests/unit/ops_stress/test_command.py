"""Whom the command asks with which key, and what it makes of the platform's answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from quetzalcore.cli.host_files import HostFiles
from quetzalcore.cli.stress import _alive, _cancel, _knock, _serving, _whom
from quetzalcore.client import QuetzalClient
from quetzalcore.client.problems import ServerProblem
from quetzalcore.errors import BadParameter
from quetzalcore.settings import Settings

OWN = "http://127.0.0.1:8123"
KEPT = "qz_kept"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A host that runs a platform."""
    found = Settings(data_dir=tmp_path / "data")
    files = HostFiles.of(found)
    files.note(OWN, "http://127.0.0.1:9123")
    files.credentials.write_text(f"user = admin\nkey = {KEPT}\n")
    (files.root / "balancer-exempt").write_text("secret\n")
    return found


def with_key(settings: Settings, **more: Any) -> Settings:  # noqa: ANN401 -- any field
    return Settings(data_dir=settings.data_dir, api_key="qz_given", **more)


def answering(status: int, document: Any = None) -> QuetzalClient:  # noqa: ANN401 -- JSON
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json=document or {})

    transport = httpx.MockTransport(answer)
    return QuetzalClient(OWN, "qz_x", transport=transport, pause=lambda _s: None)


@pytest.mark.parametrize("url", [None, OWN, OWN + "/"])
def test_this_hosts_platform_is_asked_with_what_this_host_keeps(settings, url) -> None:
    whom = _whom(settings, url, None)
    assert (whom.url, whom.key, whom.exempt) == (OWN, KEPT, "secret")
    assert whom.headers["X-Balancer-Exempt"] == "secret"


def test_what_this_host_keeps_goes_nowhere_else(settings) -> None:
    with pytest.raises(BadParameter, match="no API key"):
        _whom(settings, "http://192.0.2.7", None)
    whom = _whom(with_key(settings), "http://192.0.2.7/", None)
    assert (whom.url, whom.key, whom.exempt) == ("http://192.0.2.7", "qz_given", "")
    assert "X-Balancer-Exempt" not in whom.headers
    assert _whom(with_key(settings, url="http://192.0.2.8"), None, None).exempt == ""


def test_a_secret_may_be_given_for_a_balancer_elsewhere(settings, tmp_path) -> None:
    (tmp_path / "theirs").write_text("other\n")
    assert _whom(with_key(settings), "http://192.0.2.7", tmp_path / "theirs").exempt == "other"


def test_keys_are_not_shown(settings) -> None:
    assert KEPT not in repr(_whom(settings, None, None))


@pytest.mark.parametrize(
    ("status", "words"), [(308, "sends on to another address"), (404, "is not the address")]
)
def test_an_address_without_a_platform_is_told(status, words) -> None:
    with pytest.raises(BadParameter, match=words):
        _knock(answering(status))


def test_a_refused_key_is_told_in_the_servers_words() -> None:
    with pytest.raises(ServerProblem, match="the key is not valid"):
        _knock(answering(401, {"detail": "the key is not valid"}))


def test_only_instances_that_lately_said_that_they_serve_count() -> None:
    def instance(seconds: int, *, draining: bool = False) -> dict:
        return {"seen_at": f"2026-11-21T08:00:{seconds:02d}Z", "draining": draining}

    seen = [instance(30), instance(29), instance(25, draining=True), instance(2)]
    assert _alive({"instances": seen}) == 2  # type: ignore[typeddict-item]
    assert _alive({"instances": []}) == 1  # type: ignore[typeddict-item]


def test_who_may_not_ask_for_the_system_does_not_know_how_many_serve() -> None:
    assert _serving(answering(403)) is None
    with pytest.raises(ServerProblem):
        _serving(answering(500))


@pytest.mark.parametrize("status", [200, 404, 409])
def test_jobs_that_have_ended_need_no_cancelling(status, capsys) -> None:
    _cancel(answering(status), ["a", "b"])
    assert capsys.readouterr().err == ""


def test_jobs_that_cannot_be_cancelled_are_told(capsys) -> None:
    _cancel(answering(429, {"detail": "the rate limit is used up"}), ["a", "b"])
    assert "2 jobs that were made may still run: the rate limit is used up" in (
        capsys.readouterr().err
    )
