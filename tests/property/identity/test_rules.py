"""What keys, sessions, names and secrets are, whatever they are given."""

from __future__ import annotations

import datetime as dt
import string
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quetzalcore.errors import BadParameter
from quetzalcore.identity.key_cache import KeyCache
from quetzalcore.identity.model import Role
from quetzalcore.identity.names import checked_tenant, checked_user_name, plain
from quetzalcore.identity.rules import (
    FoundKey,
    FoundSession,
    SessionLimits,
    by_found_key,
    by_found_session,
    worth_noting,
)
from quetzalcore.identity.store import NotAuthenticated
from quetzalcore.identity.tokens import could_be_key, csrf_token, digest, new_cookie, new_key

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
SPANS = st.timedeltas(dt.timedelta(0), dt.timedelta(days=30))
LIMITS = SessionLimits()


def key(
    *, revoked: bool = False, disabled: bool = False, expires_at: dt.datetime | None = None
) -> FoundKey:
    return FoundKey(
        id="1",
        user="ana",
        tenant="acme",
        role=Role.ANALYST,
        scope="join",
        last_used_at=None,
        expires_at=expires_at,
        revoked=revoked,
        disabled=disabled,
    )


@settings(deadline=None)
@given(st.booleans(), st.booleans(), st.none() | st.timedeltas())
def test_a_key_works_unless_something_is_against_it(revoked, disabled, left) -> None:
    try:
        expires_at = None if left is None else NOW + left
    except OverflowError:
        return
    found = key(revoked=revoked, disabled=disabled, expires_at=expires_at)
    good = not revoked and not disabled and (left is None or left > dt.timedelta(0))
    if good:
        principal = by_found_key(found, now=NOW)
        assert (principal.user, principal.role, principal.scope) == ("ana", Role.ANALYST, "join")
        return
    with pytest.raises(NotAuthenticated, match="the key is not valid"):
        by_found_key(found, now=NOW)


@settings(deadline=None)
@given(SPANS, SPANS, st.booleans())
def test_a_session_works_while_it_is_used_and_not_too_old(age, idle, disabled) -> None:
    found = FoundSession(
        id="1",
        user="ana",
        tenant="acme",
        role=Role.CLIENT,
        opened_at=NOW - max(age, idle),
        used_at=NOW - idle,
        disabled=disabled,
    )
    good = not disabled and idle < LIMITS.idle and max(age, idle) < LIMITS.absolute
    if good:
        assert by_found_session(found, "c", LIMITS, now=NOW).csrf_token == csrf_token("c")
        return
    with pytest.raises(NotAuthenticated, match="the session is over"):
        by_found_session(found, "c", LIMITS, now=NOW)


@settings(deadline=None)
@given(st.lists(st.floats(0, 600), min_size=1, max_size=100))
def test_uses_are_noted_at_most_once_a_minute_and_at_least_every_two(moments) -> None:
    noted: list[dt.datetime] = []
    for moment in sorted(moments):
        now = NOW + dt.timedelta(seconds=moment)
        if worth_noting(noted[-1] if noted else None, now=now):
            noted.append(now)
        assert now - noted[-1] < dt.timedelta(minutes=1)
    assert all(b - a >= dt.timedelta(minutes=1) for a, b in pairwise(noted))


@settings(deadline=None)
@given(st.text(max_size=120))
def test_a_name_is_safe_in_a_path_a_url_and_a_log_or_is_refused(text) -> None:
    for checked in (checked_user_name, checked_tenant):
        try:
            name = checked(text)
        except BadParameter:
            continue
        assert name == text
        assert 0 < len(name) <= 100
        assert set(name) <= set(string.ascii_lowercase + string.digits + "._@+-")
        assert name[0].isalnum()


@settings(deadline=None)
@given(st.text(st.characters(), max_size=50), st.integers(1, 40))
def test_plain_words_fit_any_database(words, longest) -> None:
    kept = plain(words, longest=longest)
    assert len(kept) <= longest
    assert kept.isprintable()
    assert kept.encode().decode() == kept
    if words.isprintable() and len(words) <= longest:
        assert kept == words


def test_secrets_are_long_random_and_recognised() -> None:
    keys, cookies = {new_key() for _ in range(100)}, {new_cookie() for _ in range(100)}
    assert len(keys | cookies) == 200
    assert all(could_be_key(secret) for secret in keys)
    assert not any(could_be_key(secret) for secret in cookies)
    assert all(len(cookie) >= 43 for cookie in cookies)


@settings(deadline=None)
@given(st.text(st.characters(), max_size=60), st.text(st.characters(), max_size=60))
def test_what_is_kept_of_a_secret_tells_secrets_apart(one, other) -> None:
    same = one.encode("utf-8", "replace") == other.encode("utf-8", "replace")
    assert (digest(one) == digest(other)) == same
    assert (csrf_token(one) == csrf_token(other)) == same
    assert digest(one) != csrf_token(one)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "get", "forget", "wait"]), st.sampled_from("abcd")),
        max_size=60,
    )
)
def test_the_cache_gives_what_was_put_last_and_not_too_long_ago(steps) -> None:
    now = [0.0]
    cache = KeyCache(ttl_s=3, most=3, monotonic=lambda: now[0])
    model: dict[str, float] = {}
    for step, name in steps:
        if step == "put":
            cache.put(name, key(), generation=cache.generation)
            model[name] = now[0]
        elif step == "forget":
            cache.forget_all()
            model.clear()
        elif step == "wait":
            now[0] += 1.0
        elif cache.get(name) is not None:
            assert now[0] - model[name] < 3
        assert len(cache._entries) <= 3


def test_the_cache_does_not_keep_what_was_read_before_something_was_forgotten() -> None:
    cache = KeyCache()
    generation = cache.generation
    cache.forget_all()
    cache.put("a", key(), generation=generation)
    assert cache.get("a") is None
    cache.put("a", key(), generation=cache.generation)
    assert cache.get("a") is not None
