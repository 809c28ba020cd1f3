"""Sessions, users and keys over HTTP."""

from __future__ import annotations

import httpx
from tests.servers.gateway import PASSWORD, MemoryPlatform, talk

from quetzalcore.identity.limits import RateLimiter, parse_rules


async def _logged_in(client: httpx.AsyncClient, name: str = "ada") -> str:
    answer = await client.post("/api/auth/login", json={"name": name, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    client.cookies.set("quetzal_session", answer.cookies["quetzal_session"])
    return str(answer.json()["csrf_token"])


def test_a_session_reads_freely_and_changes_things_only_with_its_token() -> None:
    async def conversation(_: MemoryPlatform, client: httpx.AsyncClient) -> None:
        token = await _logged_in(client)
        assert (await client.get("/api/auth/me")).json()["user"] == "ada"
        job = {"kind": "noop"}
        assert (await client.post("/api/jobs", json=job)).status_code == 403
        wrong = {"X-CSRF-Token": "wrong"}
        assert (await client.post("/api/jobs", json=job, headers=wrong)).status_code == 403
        elsewhere = {"X-CSRF-Token": token, "Origin": "https://evil.example"}
        assert (await client.post("/api/jobs", json=job, headers=elsewhere)).status_code == 403
        right = {"X-CSRF-Token": token, "Origin": "http://gateway"}
        assert (await client.post("/api/jobs", json=job, headers=right)).status_code == 201

    talk(conversation)


def test_a_session_that_was_ended_is_nothing() -> None:
    async def conversation(_: MemoryPlatform, client: httpx.AsyncClient) -> None:
        token = await _logged_in(client)
        ended = await client.post("/api/auth/logout", headers={"X-CSRF-Token": token})
        assert ended.status_code == 204
        assert (await client.get("/api/auth/me")).status_code == 401

    talk(conversation)


def test_the_cookie_is_secure_where_the_platform_is_reached_by_https() -> None:
    async def conversation(_: MemoryPlatform, client: httpx.AsyncClient) -> None:
        answer = await client.post("/api/auth/login", json={"name": "ada", "password": PASSWORD})
        assert "secure" in answer.headers["set-cookie"].lower()

    talk(conversation, public_url="https://mag.example.org")


def test_wrong_passwords_are_limited_by_address() -> None:
    limiter = RateLimiter("memory://", parse_rules({"requests": "100/minute", "login": "3/minute"}))

    async def conversation(_: MemoryPlatform, client: httpx.AsyncClient) -> None:
        wrong = {"name": "ada", "password": "not the password"}
        statuses = [
            (await client.post("/api/auth/login", json=wrong)).status_code for _ in range(5)
        ]
        assert statuses == [401, 401, 401, 429, 429]
        bad_key = {"Authorization": "Bearer wrong"}
        assert (await client.get("/api/jobs", headers=bad_key)).status_code == 429

    talk(conversation, limiter=limiter)


def test_beyond_the_limit_not_even_the_right_password_is_told() -> None:
    limiter = RateLimiter("memory://", parse_rules({"requests": "100/minute", "login": "3/minute"}))

    async def conversation(_: MemoryPlatform, client: httpx.AsyncClient) -> None:
        guesses = [*(f"guess {number} of many" for number in range(3)), PASSWORD]
        answers = [
            await client.post("/api/auth/login", json={"name": "ada", "password": guess})
            for guess in guesses
        ]
        assert [each.status_code for each in answers] == [401, 401, 401, 429]
        assert "set-cookie" not in answers[-1].headers
        assert int(answers[-1].headers["retry-after"]) >= 1

    talk(conversation, limiter=limiter)


def test_who_is_not_known_yet_sends_little() -> None:
    async def conversation(_: MemoryPlatform, client: httpx.AsyncClient) -> None:
        login = {"name": "ada", "password": PASSWORD}
        large = await client.post("/api/auth/login", json={**login, "pad": "a" * 16 * 1024})
        assert large.status_code == 413
        assert (await client.post("/api/auth/login", json=login)).status_code == 200

    talk(conversation)


def test_more_keys_give_no_more_requests() -> None:
    limiter = RateLimiter("memory://", parse_rules({"requests": "4/minute", "login": "100/minute"}))

    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        ada = platform.headers("ada")
        made = [(await client.post("/api/keys", json={}, headers=ada)).json() for _ in range(3)]
        keys = [{"X-API-Key": each["secret"]} for each in made]
        answers = [await client.get("/api/jobs", headers=key) for key in keys]
        assert [each.status_code for each in answers] == [200, 429, 429]

    talk(conversation, limiter=limiter)


def test_an_exempt_key_is_never_refused_and_uses_up_nothing() -> None:
    rules = parse_rules({"requests": "2/minute", "login": "100/minute"})

    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        ada = platform.headers("ada")
        (key,) = await platform.parts.identity.keys(user="ada")
        limited.exempt.add(key.id)
        answers = [await client.get("/api/jobs", headers=ada) for _ in range(5)]
        assert {each.status_code for each in answers} == {200}
        limited.exempt.clear()
        assert (await client.get("/api/jobs", headers=ada)).headers["ratelimit-remaining"] == "1"

    class Limiter(RateLimiter):
        exempt: set[str] = set()  # noqa: RUF012 -- of one test

        def exempts(self, who: str) -> bool:
            return who in self.exempt

    limited = Limiter("memory://", rules)
    talk(conversation, limiter=limited)


def test_requests_are_limited_by_user_and_say_how_much_is_left() -> None:
    limiter = RateLimiter("memory://", parse_rules({"requests": "3/minute", "login": "100/minute"}))

    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        answers = [await client.get("/api/jobs", headers=platform.headers("ada")) for _ in range(4)]
        assert [each.status_code for each in answers] == [200, 200, 200, 429]
        assert [each.headers["ratelimit-remaining"] for each in answers] == ["2", "1", "0", "0"]
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert answers[-1].json()["code"] == "too_many_requests"
        other = await client.get("/api/jobs", headers=platform.headers("bob"))
        assert other.status_code == 200

    talk(conversation, limiter=limiter)


def test_a_key_is_shown_once_works_and_ends_at_once_when_revoked() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        ada = platform.headers("ada")
        made = (await client.post("/api/keys", json={"label": "notebook"}, headers=ada)).json()
        listed = await client.get("/api/keys", headers=ada)
        assert made["secret"] not in listed.text
        new = {"X-API-Key": made["secret"]}
        assert (await client.get("/api/jobs", headers=new)).status_code == 200
        assert (await client.delete(f"/api/keys/{made['id']}", headers=ada)).status_code == 204
        assert (await client.get("/api/jobs", headers=new)).status_code == 401

    talk(conversation)


def test_only_administrators_make_keys_for_others_or_for_workers() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        for body in ({"user": "cleo"}, {"scope": "join"}):
            mine = await client.post("/api/keys", json=body, headers=platform.headers("ada"))
            assert mine.status_code == 403
            theirs = await client.post("/api/keys", json=body, headers=platform.headers("root"))
            assert theirs.status_code == 201
        nobody = await client.post(
            "/api/keys", json={"user": "nobody"}, headers=platform.headers("root")
        )
        assert nobody.status_code == 404

    talk(conversation)


def test_a_disabled_user_is_out_at_once_and_nobody_disables_themselves() -> None:
    async def conversation(platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        root = platform.headers("root")
        body = {"name": "dora", "tenant": "acme", "role": "client", "password": PASSWORD}
        assert (await client.post("/api/users", json=body, headers=root)).status_code == 201
        assert (await client.delete("/api/users/ada", headers=root)).status_code == 204
        assert (await client.get("/api/jobs", headers=platform.headers("ada"))).status_code == 401
        assert (await client.delete("/api/users/root", headers=root)).status_code == 409
        assert (await client.delete("/api/users/nobody", headers=root)).status_code == 404

    talk(conversation)
