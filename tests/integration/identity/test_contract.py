"""What every identity store promises: the fake, SQLite and PostgreSQL alike."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.identity.model import Principal, Role
from quetzalcore.identity.names import MOST_KEYS
from quetzalcore.identity.store import NoSuchIdentity, NotAuthenticated

NOW = dt.datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=dt.UTC)
PASSWORD = "correct horse battery"  # noqa: S105 -- a test's


def later(**span: float) -> dt.datetime:
    return NOW + dt.timedelta(**span)


@pytest.fixture
def tell(opened) -> Callable[..., None]:
    """Give what runs a story about a store with two tenants, each with one user."""

    def run(story, **options: Any) -> None:  # noqa: ANN401 -- passed on
        async def whole() -> None:
            async with opened(**options) as store:
                for name, tenant in (("ana", "acme"), ("bob", "rocks")):
                    await store.add_user(
                        name, tenant=tenant, role=Role.CLIENT, password=PASSWORD, now=NOW
                    )
                await story(store)

        asyncio.run(whole())

    return run


async def refused(awaitable) -> None:
    with pytest.raises(NotAuthenticated):
        await awaitable


def test_users_are_listed_by_tenant(tell) -> None:
    async def story(store) -> None:
        await store.add_user(
            "carla@acme.org", tenant="acme", role=Role.ADMIN, password=None, now=later(days=1)
        )
        assert [user.name for user in await store.users()] == ["ana", "bob", "carla@acme.org"]
        ana, carla = await store.users(tenant="acme")
        assert (ana.tenant, ana.role, ana.created_at, ana.disabled) == (
            "acme",
            Role.CLIENT,
            NOW,
            False,
        )
        assert (carla.role, carla.created_at) == (Role.ADMIN, later(days=1))
        assert await store.users(tenant="nobody") == ()

    tell(story)


def test_a_name_is_given_once(tell) -> None:
    async def story(store) -> None:
        with pytest.raises(BadParameter, match="already"):
            await store.add_user("ana", tenant="rocks", role=Role.ADMIN, password=None, now=NOW)
        (ana,) = [user for user in await store.users() if user.name == "ana"]
        assert (ana.tenant, ana.role) == ("acme", Role.CLIENT)

    tell(story)


def test_of_many_who_add_one_name_at_once_one_succeeds(tell) -> None:
    async def story(store) -> None:
        results = await asyncio.gather(
            *(
                store.add_user("eve", tenant=f"t{n}", role=Role.CLIENT, password=None, now=NOW)
                for n in range(8)
            ),
            return_exceptions=True,
        )
        winners = [result for result in results if not isinstance(result, BaseException)]
        assert len(winners) == 1
        assert all(isinstance(r, BadParameter) for r in results if r is not winners[0])
        (eve,) = [user for user in await store.users() if user.name == "eve"]
        assert eve == winners[0]

    tell(story)


@pytest.mark.parametrize(
    ("name", "tenant", "password"),
    [
        ("", "acme", PASSWORD),
        ("Ana", "acme", PASSWORD),
        ("a\0b", "acme", PASSWORD),
        ("dora", "", PASSWORD),
        ("dora", "../x", PASSWORD),
        ("dora", "Acme", PASSWORD),
        ("dora", "acme", "short"),
        ("dora", "acme", "xxDORAxxxxx"),
        ("dora", "acme", "x" * 2000),
    ],
)
def test_an_unusable_name_tenant_or_password_is_refused(tell, name, tenant, password) -> None:
    async def story(store) -> None:
        with pytest.raises(BadParameter):
            await store.add_user(name, tenant=tenant, role=Role.CLIENT, password=password, now=NOW)
        assert len(await store.users()) == 2

    tell(story)


def test_a_key_says_whose_it_is(tell) -> None:
    async def story(store) -> None:
        key, secret = await store.create_key("ana", label="laptop", now=NOW)
        assert secret.startswith("qz_")
        assert len(secret) == 46
        assert secret not in repr(key)
        assert await store.by_key(secret, now=later(hours=1)) == Principal(
            user="ana", tenant="acme", role=Role.CLIENT, key_id=key.id
        )
        assert (key.user, key.tenant, key.label, key.scope) == ("ana", "acme", "laptop", "user")

    tell(story)


def test_a_worker_s_key_is_told_from_a_user_s(tell) -> None:
    async def story(store) -> None:
        _, secret = await store.create_key("ana", scope="join", now=NOW)
        assert (await store.by_key(secret, now=NOW)).scope == "join"
        with pytest.raises(BadParameter, match="scope"):
            await store.create_key("ana", scope="everything", now=NOW)

    tell(story)


def test_keys_are_listed_without_secrets_within_the_tenant_s_wall(tell) -> None:
    async def story(store) -> None:
        first, _ = await store.create_key("ana", label="first", now=NOW)
        second, _ = await store.create_key("ana", label="second", now=later(seconds=1))
        other, _ = await store.create_key("bob", now=later(seconds=2))
        assert [key.id for key in await store.keys()] == [other.id, second.id, first.id]
        assert await store.keys(tenant="acme") == (second, first)
        assert await store.keys(user="bob") == (other,)
        assert await store.keys(tenant="acme", user="bob") == ()

    tell(story)


def test_a_revoked_key_is_useless_at_once(tell, cache) -> None:
    async def story(store) -> None:
        key, secret = await store.create_key("ana", now=NOW)
        _, other = await store.create_key("ana", now=NOW)
        await store.by_key(secret, now=NOW)
        await store.revoke_key(key.id, tenant="acme")
        await refused(store.by_key(secret, now=NOW))
        await store.by_key(other, now=NOW)
        assert [k.revoked for k in await store.keys() if k.id == key.id] == [True]
        await store.revoke_key(key.id)

    tell(story, cache=cache)


def test_another_tenant_s_key_or_user_is_not_there(tell) -> None:
    async def story(store) -> None:
        key, secret = await store.create_key("ana", now=NOW)
        with pytest.raises(NoSuchIdentity):
            await store.revoke_key(key.id, tenant="rocks")
        with pytest.raises(NoSuchIdentity):
            await store.revoke_key("no-such-key")
        with pytest.raises(NoSuchIdentity):
            await store.disable_user("ana", tenant="rocks")
        with pytest.raises(NoSuchIdentity):
            await store.disable_user("nobody")
        with pytest.raises(NoSuchIdentity):
            await store.create_key("nobody", now=NOW)
        assert (await store.by_key(secret, now=NOW)).user == "ana"

    tell(story)


def test_a_key_ends_when_it_expires_even_if_it_was_just_used(tell, cache) -> None:
    async def story(store) -> None:
        _, secret = await store.create_key("ana", expires_at=later(hours=1), now=NOW)
        await store.by_key(secret, now=later(minutes=59, seconds=59))
        await refused(store.by_key(secret, now=later(hours=1)))

    tell(story, cache=cache)


@pytest.mark.parametrize(
    "secret",
    ["", "qz_", "x" * 46, "qz_" + "A" * 43, "qz_\0" + "A" * 42, "qz_" + "é" * 43, "q" * 10**6],
)
def test_what_is_no_key_is_refused(tell, secret) -> None:
    async def story(store) -> None:
        await refused(store.by_key(secret, now=NOW))

    tell(story)


def test_a_disabled_user_loses_keys_and_sessions_at_once(tell, cache) -> None:
    async def story(store) -> None:
        _, secret = await store.create_key("ana", now=NOW)
        _, cookie = await store.log_in("ana", PASSWORD, now=NOW)
        _, bobs = await store.create_key("bob", now=NOW)
        await store.by_key(secret, now=NOW)
        await store.disable_user("ana", tenant="acme")
        await refused(store.by_key(secret, now=NOW))
        await refused(store.by_session(cookie, now=NOW))
        await refused(store.log_in("ana", PASSWORD, now=NOW))
        with pytest.raises(NoSuchIdentity):
            await store.create_key("ana", now=NOW)
        assert [user.disabled for user in await store.users()] == [True, False]
        assert all(key.revoked for key in await store.keys(user="ana"))
        await store.by_key(bobs, now=NOW)
        await store.disable_user("ana")

    tell(story, cache=cache)


def test_a_user_has_so_many_keys_and_revoked_ones_are_forgotten_in_the_end(tell) -> None:
    async def story(store) -> None:
        made = [
            await store.create_key("ana", now=later(seconds=number)) for number in range(MOST_KEYS)
        ]
        with pytest.raises(BadParameter, match="revoke some"):
            await store.create_key("ana", now=later(hours=1))
        await store.create_key("bob", now=later(hours=1))
        for number in range(MOST_KEYS + 5):
            await store.revoke_key(made[number][0].id)
            made.append(await store.create_key("ana", now=later(hours=2, seconds=number)))
        kept = await store.keys(user="ana")
        assert sum(key.revoked for key in kept) <= MOST_KEYS + 1
        assert sum(not key.revoked for key in kept) == MOST_KEYS
        assert made[0][0].id not in {key.id for key in kept}
        await refused(store.by_key(made[0][1], now=later(hours=3)))
        assert (await store.by_key(made[-1][1], now=later(hours=3))).user == "ana"

    tell(story)


def test_an_enabled_user_is_let_in_again_but_not_with_a_revoked_key(tell, cache) -> None:
    async def story(store) -> None:
        _, secret = await store.create_key("ana", now=NOW)
        await store.disable_user("ana")
        for name, tenant in (("nobody", ""), ("ana", "rocks")):
            with pytest.raises(NoSuchIdentity):
                await store.enable_user(name, tenant=tenant)
        await refused(store.log_in("ana", PASSWORD, now=NOW))
        await store.enable_user("ana", tenant="acme")
        assert not any(user.disabled for user in await store.users())
        await store.log_in("ana", PASSWORD, now=NOW)
        await refused(store.by_key(secret, now=NOW))
        _, fresh = await store.create_key("ana", now=NOW)
        assert (await store.by_key(fresh, now=NOW)).user == "ana"

    tell(story, cache=cache)


def test_a_new_password_ends_sessions_and_the_old_one_and_no_key(tell) -> None:
    async def story(store) -> None:
        _, secret = await store.create_key("ana", now=NOW)
        _, cookie = await store.log_in("ana", PASSWORD, now=NOW)
        for name, tenant in (("nobody", ""), ("ana", "rocks")):
            with pytest.raises(NoSuchIdentity):
                await store.set_password(name, "another long one", tenant=tenant)
        with pytest.raises(BadParameter):
            await store.set_password("ana", "short")
        await store.by_session(cookie, now=NOW)
        await store.set_password("ana", "another long one", tenant="acme")
        await refused(store.by_session(cookie, now=NOW))
        await refused(store.log_in("ana", PASSWORD, now=NOW))
        await store.log_in("ana", "another long one", now=NOW)
        assert (await store.by_key(secret, now=NOW)).user == "ana"

    tell(story)


def test_who_had_no_password_can_be_given_one(tell) -> None:
    async def story(store) -> None:
        await store.add_user("eve", tenant="acme", role=Role.CLIENT, password=None, now=NOW)
        await refused(store.log_in("eve", "another long one", now=NOW))
        await store.set_password("eve", "another long one")
        principal, _ = await store.log_in("eve", "another long one", now=NOW)
        assert principal.user == "eve"

    tell(story)


def test_a_use_is_noted_at_most_once_a_minute(tell, cache) -> None:
    async def story(store) -> None:
        key, secret = await store.create_key("ana", now=NOW)

        async def noted() -> list[dt.datetime | None]:
            return [k.last_used_at for k in await store.keys() if k.id == key.id]

        assert await noted() == [None]
        await store.by_key(secret, now=later(seconds=1))
        assert await noted() == [later(seconds=1)]
        await store.by_key(secret, now=later(seconds=60.9))
        assert await noted() == [later(seconds=1)]
        await store.by_key(secret, now=later(seconds=61))
        assert await noted() == [later(seconds=61)]

    tell(story, cache=cache)


def test_a_login_opens_a_session_with_a_csrf_token(tell) -> None:
    async def story(store) -> None:
        principal, cookie = await store.log_in("ana", PASSWORD, now=NOW)
        again, other_cookie = await store.log_in("ana", PASSWORD, now=NOW)
        assert (principal.user, principal.tenant, principal.role) == ("ana", "acme", Role.CLIENT)
        assert principal.scope == "user"
        assert principal.key_id == ""
        assert len(principal.csrf_token) == 64
        assert len({cookie, other_cookie, principal.session_id, principal.csrf_token}) == 4
        assert again.csrf_token != principal.csrf_token
        assert await store.by_session(cookie, now=later(minutes=1)) == principal

    tell(story)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ana", "wrong password"),
        ("ana", ""),
        ("ana", PASSWORD + "\0"),
        ("ana", "\ud800"),
        ("nobody", PASSWORD),
        ("", PASSWORD),
        ("a\0", PASSWORD),
        ("x" * 10_000, PASSWORD),
        ("keys-only", PASSWORD),
    ],
)
def test_a_wrong_login_says_only_that_it_is_wrong(tell, name, password) -> None:
    async def story(store) -> None:
        await store.add_user("keys-only", tenant="acme", role=Role.CLIENT, password=None, now=NOW)
        with pytest.raises(NotAuthenticated, match="the name or the password is wrong"):
            await store.log_in(name, password, now=NOW)

    tell(story)


def test_a_session_ends_when_it_is_not_used(tell) -> None:
    async def story(store) -> None:
        _, cookie = await store.log_in("ana", PASSWORD, now=NOW)
        await store.by_session(cookie, now=later(hours=11.9))
        await store.by_session(cookie, now=later(hours=23.8))
        await refused(store.by_session(cookie, now=later(hours=35.8)))

    tell(story)


def test_a_session_ends_after_a_week_however_much_it_is_used(tell) -> None:
    async def story(store) -> None:
        _, cookie = await store.log_in("ana", PASSWORD, now=NOW)
        for hours in range(0, 168, 8):
            await store.by_session(cookie, now=later(hours=hours))
        await store.by_session(cookie, now=later(hours=167.9))
        await refused(store.by_session(cookie, now=later(hours=168)))

    tell(story)


def test_a_logout_ends_one_session_only(tell) -> None:
    async def story(store) -> None:
        _, cookie = await store.log_in("ana", PASSWORD, now=NOW)
        _, other = await store.log_in("ana", PASSWORD, now=NOW)
        await store.log_out(cookie)
        await store.log_out(cookie)
        await refused(store.by_session(cookie, now=NOW))
        await store.by_session(other, now=NOW)
        await refused(store.by_session("", now=NOW))

    tell(story)


def test_the_trail_keeps_who_did_what_in_order(tell) -> None:
    async def story(store) -> None:
        _, secret = await store.create_key("ana", now=NOW)
        ana = await store.by_key(secret, now=NOW)
        await store.audit(None, "login.failed", "bob\0\ud800", now=NOW)
        await store.audit(ana, "key.created", "k" * 5000, now=later(seconds=1))
        last, first = await store.trail()
        assert (first.user, first.tenant, first.action, first.at) == ("", "", "login.failed", NOW)
        assert first.subject == "bob\N{REPLACEMENT CHARACTER}?"
        assert (last.user, last.tenant, last.key_id) == ("ana", "acme", ana.key_id)
        assert last.subject == "k" * 1000
        assert last.sequence > first.sequence
        assert await store.trail(tenant="acme") == (last,)
        assert await store.trail(before=last.sequence) == (first,)
        assert await store.trail(limit=1) == (last,)

    tell(story)
