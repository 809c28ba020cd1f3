"""Commands on other hosts, by the OpenSSH client: built as data, run by one function."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quetzalcore.errors import BadParameter, Retryable

__all__ = [
    "RemoteResult",
    "SshAccess",
    "SshUnreachable",
    "hang_up",
    "hang_up_command",
    "run_on",
    "ssh_command",
]

_HOST = re.compile(
    r"(?:[A-Za-z0-9_][\w.-]*@)?(?:[A-Za-z0-9_][\w.-]*|[0-9A-Fa-f:]*:[0-9A-Fa-f:.%\w]*)"
)
_OWN_FAILURE = 255
_SHOWN = 500
_KEPT_S = 60


class SshUnreachable(Retryable):
    """SSH does not get there or is not let in; what was asked for may or may not have run."""

    code = "ssh_unreachable"
    title = "The host cannot be reached by SSH"


@dataclass(frozen=True, slots=True, kw_only=True)
class SshAccess:
    """How hosts are reached; what is empty or None is left to the user's own SSH configuration.

    Host keys are always checked: a host that is not in a known-hosts file is refused. With a ``control_folder``
    (a short path that only we may enter) commands to one host share a connection, which is kept for a while
    or until ``hang_up``.
    """

    user: str = ""
    port: int | None = None
    identity_file: Path | None = None
    known_hosts_file: Path | None = None
    connect_timeout_s: float = 10.0
    control_folder: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteResult:
    """How a command ended on a host."""

    host: str
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def said(self) -> str:
        """The end of what it complained of, on one line."""
        text = (self.stderr or self.stdout).decode(errors="replace")
        return " ".join(text.split())[-_SHOWN:]


def hang_up_command(host: str, access: SshAccess) -> tuple[str, ...]:
    """Build the command line that ends the shared connection to a host."""
    *command, _ = ssh_command(host, (), access)
    return (command[0], "-O", "exit", *command[1:])


def ssh_command(host: str, remote: Sequence[str], access: SshAccess) -> tuple[str, ...]:
    """Build the command line that runs ``remote`` on a host, word for word.

    Raises
    ------
    BadParameter
        If the host is no name or address, optionally with USER@ before it.
    """
    if not _HOST.fullmatch(host):
        raise BadParameter(f"{host!r} is no host", hint="give NAME or USER@NAME")
    options = [
        *("BatchMode=yes", "StrictHostKeyChecking=yes"),
        f"ConnectTimeout={max(1, round(access.connect_timeout_s))}",
        *("ServerAliveInterval=5", "ServerAliveCountMax=3"),
    ]
    if access.known_hosts_file is not None:
        options += [
            f'UserKnownHostsFile="{access.known_hosts_file}"',
            "GlobalKnownHostsFile=/dev/null",
        ]
    if access.control_folder is not None:
        options += [
            *("ControlMaster=auto", f"ControlPersist={_KEPT_S}"),
            f'ControlPath="{access.control_folder}/%C"',
        ]
    if access.identity_file is not None:
        options += ["IdentitiesOnly=yes", f'IdentityFile="{access.identity_file}"']
    return (
        *("ssh", "-T"),
        *(word for option in options for word in ("-o", option)),
        *(("-l", access.user) if access.user and "@" not in host else ()),
        *(("-p", str(access.port)) if access.port is not None else ()),
        *("--", host, shlex.join(remote)),
    )


async def hang_up(hosts: Sequence[str], *, access: SshAccess) -> None:
    """End shared connections; where there is none, nothing happens."""
    quiet = asyncio.subprocess.DEVNULL
    for host in hosts:
        process = await asyncio.create_subprocess_exec(
            *hang_up_command(host, access), stdin=quiet, stdout=quiet, stderr=quiet
        )
        await process.wait()


async def run_on(
    host: str,
    remote: Sequence[str],
    *,
    access: SshAccess,
    stdin: bytes = b"",
    timeout_s: float = 60.0,
) -> RemoteResult:
    """Run a command on a host and wait for its end.

    A status other than 0 is the caller's to judge; 255 is taken for SSH's own failure.

    Raises
    ------
    SshUnreachable
        If SSH fails, or the command does not end in time.
    """
    command = ssh_command(host, remote, access)
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe
        )
    except FileNotFoundError as error:
        raise SshUnreachable("there is no ssh here", hint="install openssh-client") from error
    try:
        async with asyncio.timeout(timeout_s):
            stdout, stderr = await process.communicate(stdin)
    except TimeoutError as error:
        raise SshUnreachable(
            f"{host} did not finish within {timeout_s:g} s", hint="look at the host"
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    result = RemoteResult(host=host, status=process.returncode or 0, stdout=stdout, stderr=stderr)
    if result.status == _OWN_FAILURE:
        raise SshUnreachable(
            f"{host} cannot be reached: {result.said or 'ssh gives no reason'}",
            hint=f"try: {shlex.join(command[:-1])} true",
        )
    return result
