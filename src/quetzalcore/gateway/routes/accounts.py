"""Who one is: sessions, users and keys."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from quetzalcore.errors import BadParameter, Where
from quetzalcore.gateway.answers import COMMON, SECURED, problems
from quetzalcore.gateway.authentication import SESSION_COOKIE
from quetzalcore.gateway.documents import key_document, principal_document, user_document
from quetzalcore.gateway.guard import Access, count_guess, guarded, same_origin
from quetzalcore.gateway.instance import caller, gateway_of
from quetzalcore.gateway.names import checked_name, missing
from quetzalcore.gateway.replies import reply
from quetzalcore.gateway.schemas import (
    Caller,
    KeyList,
    LoginRequest,
    NewKey,
    NewKeyRequest,
    NewUserRequest,
    UserList,
    UserView,
)
from quetzalcore.identity.model import ApiKey, Role
from quetzalcore.identity.store import Forbidden
from quetzalcore.jobs.ledger import Conflict

__all__ = ["admins", "login", "own"]

login = APIRouter(
    prefix="/api/auth",
    tags=["accounts"],
    route_class=guarded(Access.PUBLIC),
    responses={**COMMON, **problems(429, 503)},
)
own = APIRouter(
    prefix="/api", tags=["accounts"], route_class=guarded(Access.USER), responses=SECURED
)
admins = APIRouter(
    prefix="/api", tags=["accounts"], route_class=guarded(Access.ADMIN), responses=SECURED
)
_TENANT = r"^[A-Za-z0-9._@:-]{0,64}$"


@login.post(
    "/login",
    operation_id="log_in",
    response_model=Caller,
    response_description="Who one is; the session comes as a cookie.",
    responses=problems(401, 403, 422),
)
async def log_in(request: Request, body: LoginRequest) -> Response:
    """Open a session by name and password."""
    gateway = gateway_of(request)
    parts = gateway.parts
    if not same_origin(request, gateway.config.public_url):
        raise Forbidden("the login came from another site's page", hint="log in on our own page")
    await count_guess(request, gateway)  # before: else a right guess would be told beyond the limit
    who, cookie = await parts.identity.log_in(body.name, body.password, now=parts.clock())
    answer = reply(principal_document(who))
    answer.set_cookie(
        SESSION_COOKIE,
        cookie,
        max_age=int(gateway.config.session_s),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https" or gateway.config.public_url.startswith("https:"),
    )
    return answer


@own.post("/auth/logout", operation_id="log_out", status_code=204, response_class=Response)
async def log_out(request: Request) -> Response:
    """End the session that the cookie names."""
    gateway = gateway_of(request)
    cookie = request.cookies.get(SESSION_COOKIE)
    if cookie:
        await gateway.parts.identity.log_out(cookie)
        gateway.authenticator.forget()
    answer = Response(status_code=204)
    answer.delete_cookie(SESSION_COOKIE, httponly=True, samesite="strict")
    return answer


@own.get("/auth/me", operation_id="get_me", response_model=Caller)
async def get_me(request: Request) -> Response:
    """Say who one is; by session also the token that changes need."""
    return reply(principal_document(caller(request)))


@admins.get("/users", operation_id="list_users", response_model=UserList, responses=problems(422))
async def list_users(
    request: Request,
    tenant: Annotated[str, Query(pattern=_TENANT, description="Only this tenant's.")] = "",
) -> Response:
    """List users of all tenants, or of one; for administrators."""
    users = await gateway_of(request).parts.identity.users(tenant=tenant)
    return reply({"items": [user_document(user) for user in users]})


@admins.post(
    "/users",
    operation_id="add_user",
    status_code=201,
    response_model=UserView,
    responses=problems(409, 422),
)
async def add_user(request: Request, body: NewUserRequest) -> Response:
    """Add a user; for administrators."""
    parts = gateway_of(request).parts
    user = await parts.identity.add_user(
        body.name,
        tenant=body.tenant,
        role=Role(body.role),
        password=body.password,
        now=parts.clock(),
    )
    await parts.identity.audit(caller(request), "add", f"user {user.name}", now=parts.clock())
    return reply(user_document(user), 201)


@admins.delete(
    "/users/{name}",
    operation_id="disable_user",
    status_code=204,
    response_class=Response,
    responses=problems(404, 409, 422),
)
async def disable_user(request: Request, name: Annotated[str, Path(examples=["ada"])]) -> Response:
    """Disable a user: all keys and sessions end; for administrators."""
    gateway = gateway_of(request)
    parts = gateway.parts
    if name == caller(request).user:
        raise Conflict("this is you", hint="let another administrator disable you")
    await parts.identity.disable_user(checked_name(name, "user"))
    gateway.authenticator.forget()
    await parts.identity.audit(caller(request), "disable", f"user {name}", now=parts.clock())
    return Response(status_code=204)


@own.get("/keys", operation_id="list_keys", response_model=KeyList, responses=problems(422))
async def list_keys(
    request: Request,
    tenant: Annotated[str, Query(pattern=_TENANT, description="Admins: only this tenant's.")] = "",
) -> Response:
    """List one's own keys; administrators see everybody's."""
    who = caller(request)
    identity = gateway_of(request).parts.identity
    if who.role is Role.ADMIN:
        keys = await identity.keys(tenant=tenant)
    else:
        keys = await identity.keys(tenant=who.tenant, user=who.user)
    return reply({"items": [key_document(key) for key in keys]})


@own.post(
    "/keys",
    operation_id="create_key",
    status_code=201,
    response_model=NewKey,
    responses=problems(404, 422),
)
async def create_key(request: Request, body: NewKeyRequest) -> Response:
    """Make a key; its secret is shown this once."""
    parts = gateway_of(request).parts
    who = caller(request)
    user = body.user or who.user
    if who.role is not Role.ADMIN and (user != who.user or body.scope != "user"):
        raise Forbidden(
            "only administrators make keys for others, or for workers",
            hint="leave user and scope out",
        )
    if user != who.user and user not in {each.name for each in await parts.identity.users()}:
        raise missing("user")
    _check_expiry(body.expires_at, parts.clock())
    key, secret = await parts.identity.create_key(
        user, label=body.label, scope=body.scope, expires_at=body.expires_at, now=parts.clock()
    )
    await parts.identity.audit(who, "create", f"key {key.id}", now=parts.clock())
    return reply({**key_document(key), "secret": secret}, 201)


@own.delete(
    "/keys/{key_id}",
    operation_id="revoke_key",
    status_code=204,
    response_class=Response,
    responses=problems(404),
)
async def revoke_key(
    request: Request, key_id: Annotated[str, Path(examples=["01kaj3v7q4h2m8s0c5x9tzy6wd"])]
) -> Response:
    """Make a key useless: one's own, or for administrators anybody's."""
    gateway = gateway_of(request)
    parts, who = gateway.parts, caller(request)
    key = await _visible_key(request, checked_name(key_id, "key"))
    await parts.identity.revoke_key(key.id)
    gateway.authenticator.forget()
    await parts.identity.audit(who, "revoke", f"key {key.id}", now=parts.clock())
    return Response(status_code=204)


async def _visible_key(request: Request, key_id: str) -> ApiKey:
    who = caller(request)
    identity = gateway_of(request).parts.identity
    if who.role is Role.ADMIN:
        keys = await identity.keys()
    else:
        keys = await identity.keys(tenant=who.tenant, user=who.user)
    for key in keys:
        if key.id == key_id:
            return key
    raise missing("key")


def _check_expiry(expires_at: dt.datetime | None, now: dt.datetime) -> None:
    if expires_at is not None and (expires_at.tzinfo is None or expires_at <= now):
        raise BadParameter(
            "expires_at is past or has no time zone",
            hint="write a coming time like 2030-01-01T00:00:00Z",
            where=Where(field="expires_at"),
        )
