"""``quetzal user`` and ``quetzal key``: who may use this platform, kept in its database."""

from __future__ import annotations

import asyncio
import datetime as dt
import getpass
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from quetzalcore.cli.console import note, print_json, print_table, say
from quetzalcore.errors import BadParameter
from quetzalcore.settings import Settings

if TYPE_CHECKING:
    from quetzalcore.identity.model import ApiKey
    from quetzalcore.identity.store import IdentityStore

__all__ = ["key_app", "user_app"]

T = TypeVar("T")

user_app = typer.Typer(
    help="Add, list, disable and enable users; give passwords.", no_args_is_help=True
)
key_app = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)

_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
_LEAST_PASSWORD = 12


@user_app.command("add")
def add_user(
    context: typer.Context,
    name: str,
    *,
    role: Annotated[str, typer.Option(help="admin, analyst or client.")],
    tenant: Annotated[str, typer.Option(help="Whose data the user sees.")],
    password: Annotated[
        bool, typer.Option("--password", help="Ask for a password, for the dashboard.")
    ] = False,
) -> None:
    """Add a user; without a password it can use API keys only.

    Example: quetzal user add ana --role analyst --tenant acme
    """
    from quetzalcore.identity.model import Role  # noqa: PLC0415 -- heavy

    try:
        checked = Role(role)
    except ValueError:
        raise BadParameter(
            f"there is no role {role!r}", hint=f"use one of {', '.join(Role)}"
        ) from None
    chosen = _ask_password() if password else None

    async def add(store: IdentityStore) -> None:
        await store.add_user(name, tenant=tenant, role=checked, password=chosen, now=_now())

    _with_store(context.obj, add)
    say(f"Added {name} ({checked}) of {tenant}.")
    note(f"Give it a key with: quetzal key create --user {name}")


@user_app.command("list")
def list_users(
    context: typer.Context,
    *,
    tenant: Annotated[str, typer.Option(help="Only this tenant's.")] = "",
    as_json: _AsJson = False,
) -> None:
    """List users.

    Example: quetzal user list --tenant acme
    """
    users = _with_store(context.obj, lambda store: store.users(tenant=tenant))
    if as_json:
        print_json(
            {"items": [{**asdict(u), "created_at": u.created_at.isoformat()} for u in users]}
        )
        return
    rows = [
        [
            u.name,
            u.tenant,
            str(u.role),
            f"{u.created_at:%Y-%m-%d}",
            "disabled" if u.disabled else "",
        ]
        for u in users
    ]
    print_table("Users", ["name", "tenant", "role", "since", ""], rows)


@user_app.command("disable")
def disable_user(context: typer.Context, name: str) -> None:
    """Disable a user; keys and sessions end at once.

    Example: quetzal user disable ana
    """
    _with_store(context.obj, lambda store: store.disable_user(name))
    say(f"Disabled {name}; keys and sessions have ended.")


@user_app.command("enable")
def enable_user(context: typer.Context, name: str) -> None:
    """Let a disabled user in again; revoked keys stay revoked.

    Example: quetzal user enable ana
    """

    async def enable(store: IdentityStore) -> None:
        await store.enable_user(name)
        await store.audit(None, "enable", f"user {name}", now=_now())

    _with_store(context.obj, enable)
    say(f"Enabled {name}.")
    note(f"Its keys were revoked; give it another with: quetzal key create --user {name}")


@user_app.command("password")
def set_password(context: typer.Context, name: str) -> None:
    """Ask for a user's new password, or read it from standard input; sessions end at once.

    Example: quetzal user password ana
    """
    chosen = _ask_password()

    async def change(store: IdentityStore) -> None:
        await store.set_password(name, chosen)
        await store.audit(None, "password", f"user {name}", now=_now())

    _with_store(context.obj, change)
    say(f"{name} has a new password; sessions have ended.")


@key_app.command("create")
def create_key(
    context: typer.Context,
    *,
    user: Annotated[str, typer.Option(help="Whose key it is.")],
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    days: Annotated[float | None, typer.Option(help="Days until it expires.")] = None,
    join: Annotated[
        bool, typer.Option("--join", help="A key with which workers join, and nothing else.")
    ] = False,
) -> None:
    """Make an API key and print it, once.

    Example: quetzal key create --user ana --label laptop
    """
    now = _now()
    expires = None if days is None else now + dt.timedelta(days=days)

    async def create(store: IdentityStore) -> tuple[ApiKey, str]:
        return await store.create_key(
            user, label=label, scope="join" if join else "user", expires_at=expires, now=now
        )

    key, secret = _with_store(context.obj, create)
    say(secret)
    note(f"Key {key.id} of {user}. It is not shown again.")


@key_app.command("list")
def list_keys(
    context: typer.Context,
    *,
    user: Annotated[str, typer.Option(help="Only this user's.")] = "",
    as_json: _AsJson = False,
) -> None:
    """List keys, without their secrets.

    Example: quetzal key list --user ana
    """
    keys = _with_store(context.obj, lambda store: store.keys(user=user))
    if as_json:
        print_json({"items": [_plain(key) for key in keys]})
        return
    rows = [
        [k.id, k.user, k.label, k.scope, _day(k.last_used_at), _day(k.expires_at),
         "revoked" if k.revoked else ""]
        for k in keys
    ]  # fmt: skip
    print_table("Keys", ["id", "user", "label", "scope", "last used", "expires", ""], rows)


@key_app.command("revoke")
def revoke_key(
    context: typer.Context, key_id: Annotated[str, typer.Argument(metavar="ID")]
) -> None:
    """Make a key useless at once.

    Example: quetzal key revoke 01j...
    """
    _with_store(context.obj, lambda store: store.revoke_key(key_id))
    say(f"Revoked {key_id}.")


def _with_store(settings: Settings, use: Callable[[IdentityStore], Awaitable[T]]) -> T:
    from quetzalcore.cli.composition import open_identity  # noqa: PLC0415 -- heavy

    async def run() -> T:
        async with open_identity(settings) as store:
            return await use(store)

    return asyncio.run(run())


def _ask_password() -> str:
    given = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip()
    if len(given) < _LEAST_PASSWORD:
        raise BadParameter(
            f"the password has {len(given)} characters", hint=f"use at least {_LEAST_PASSWORD}"
        )
    return given


def _now() -> dt.datetime:
    return dt.datetime.now(tz=dt.UTC)


def _day(at: dt.datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d}"


def _plain(key: ApiKey) -> dict[str, object]:
    return {
        name: value.isoformat() if isinstance(value, dt.datetime) else value
        for name, value in asdict(key).items()
    }
