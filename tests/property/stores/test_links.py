"""A link allows what it was made for, until it runs out, and nothing else."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quetzalcore.errors import BadParameter
from quetzalcore.jobs.links import BadLink, FileLinks, Grant, SignedLinks, sign, verify

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
METHODS = st.sampled_from(["GET", "PUT"])
KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
SECRETS = st.binary(min_size=16, max_size=64)
SECONDS = st.integers(1, 4_000_000_000)
GRANTS = st.builds(Grant, method=METHODS, key=KEYS, expires_at_s=SECONDS)


def at(seconds: float) -> dt.datetime:
    return EPOCH + dt.timedelta(seconds=seconds)


@settings(deadline=None)
@given(GRANTS, SECRETS, st.integers(1, 10**6))
def test_a_link_allows_what_it_was_made_for(grant, secret, left) -> None:
    token = sign(grant, secret)
    now = at(max(0, grant.expires_at_s - left))
    assert verify(token, method=grant.method, now=now, secret=secret) == grant


@settings(deadline=None)
@given(GRANTS, SECRETS)
def test_a_token_needs_no_quoting_in_a_url(grant, secret) -> None:
    token = sign(grant, secret)
    assert urlsplit(f"http://host/api/blobs/{token}").path == f"/api/blobs/{token}"
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


@settings(deadline=None)
@given(GRANTS, SECRETS)
def test_a_link_is_for_one_method(grant, secret) -> None:
    other = {"GET": "PUT", "PUT": "GET"}[grant.method]
    for method in (other, "HEAD", "DELETE", grant.method.lower(), ""):
        with pytest.raises(BadLink, match="for"):
            verify(sign(grant, secret), method=method, now=at(0), secret=secret)


@settings(deadline=None)
@given(GRANTS, SECRETS, st.floats(0, 10**9))
def test_a_link_runs_out(grant, secret, late) -> None:
    now = at(grant.expires_at_s) + dt.timedelta(seconds=late)
    with pytest.raises(BadLink, match="run out"):
        verify(sign(grant, secret), method=grant.method, now=now, secret=secret)


@settings(deadline=None)
@given(GRANTS, SECRETS, SECRETS)
def test_another_secret_opens_nothing(grant, secret, other) -> None:
    assume(secret != other)
    with pytest.raises(BadLink, match="not made by this server"):
        verify(sign(grant, secret), method=grant.method, now=at(0), secret=other)


@settings(deadline=None)
@given(GRANTS, SECRETS, st.data())
def test_no_changed_token_is_valid(grant, secret, data) -> None:
    token = sign(grant, secret)
    place = data.draw(st.integers(0, len(token)))
    letter = data.draw(st.sampled_from("Aa0-_.=\n é") | st.just(""))
    cut = data.draw(st.integers(0, 1))
    changed = token[:place] + letter + token[place + cut :]
    assume(changed != token)
    with pytest.raises(BadLink):
        verify(changed, method=grant.method, now=at(0), secret=secret)


@settings(deadline=None)
@given(GRANTS, GRANTS, SECRETS)
def test_parts_of_two_tokens_make_no_third(one, other, secret) -> None:
    assume(one != other)
    body, _, _ = sign(one, secret).partition(".")
    _, _, seal = sign(other, secret).partition(".")
    with pytest.raises(BadLink):
        verify(f"{body}.{seal}", method=one.method, now=at(0), secret=secret)


@settings(deadline=None)
@given(st.text(max_size=80), SECRETS)
def test_anything_else_is_refused_in_words(token, secret) -> None:
    with pytest.raises(BadLink):
        verify(token, method="GET", now=at(0), secret=secret)


@settings(deadline=None)
@given(st.binary(max_size=15))
def test_a_secret_that_can_be_guessed_is_refused(secret) -> None:
    with pytest.raises(BadParameter, match="secret"):
        sign(Grant(method="GET", key="a", expires_at_s=1), secret)
    with pytest.raises(BadParameter, match="secret"):
        SignedLinks("http://host", secret)


def test_a_signed_link_leads_to_the_gateway_and_runs_out_in_time() -> None:
    secret = b"0123456789abcdef"
    links = SignedLinks("https://gateway:8000/", secret, clock_ns=lambda: 1_000_000_000_000)
    url = links.link("a/b", path=Path("/x"), method="PUT", expires_s=60)
    prefix, _, token = url.rpartition("/")
    assert prefix == "https://gateway:8000/api/blobs"
    grant = verify(token, method="PUT", now=at(1059.9), secret=secret)
    assert grant == Grant(method="PUT", key="a/b", expires_at_s=1060)
    with pytest.raises(BadLink, match="run out"):
        verify(token, method="PUT", now=at(1060), secret=secret)


def test_a_file_link_names_the_file_whatever_its_name() -> None:
    url = FileLinks().link("k", path=Path("/var/a b/ü%.tif"), method="GET", expires_s=1)
    assert url == "file:///var/a%20b/%C3%BC%25.tif"
