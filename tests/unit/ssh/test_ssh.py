"""Command lines for other hosts."""

from __future__ import annotations

import asyncio
import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from quetzalcore import ssh
from quetzalcore.errors import BadParameter
from quetzalcore.ssh import SshAccess, SshUnreachable, hang_up_command, run_on, ssh_command


def test_what_is_not_given_is_left_to_the_users_configuration() -> None:
    assert ssh_command("node-1", ("true",), SshAccess()) == (
        *("ssh", "-T", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"),
        *("-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"),
        *("--", "node-1", "true"),
    )


def test_everything_that_is_given_is_said() -> None:
    access = SshAccess(
        user="quetzal",
        port=2222,
        identity_file=Path("/etc/a key"),
        known_hosts_file=Path("/etc/known"),
        connect_timeout_s=0.2,
        control_folder=Path("/run/q"),
    )
    command = ssh_command("10.0.0.7", ("echo", "a b"), access)
    said = set(pairwise(command))
    assert ("-o", 'IdentityFile="/etc/a key"') in said
    assert ("-o", 'UserKnownHostsFile="/etc/known"') in said
    assert ("-o", "ConnectTimeout=1") in said
    assert ("-o", 'ControlPath="/run/q/%C"') in said
    assert {("-l", "quetzal"), ("-p", "2222")} <= said
    assert command[-3:] == ("--", "10.0.0.7", "echo 'a b'")


def test_a_user_in_the_hosts_name_wins() -> None:
    command = ssh_command("root@node-1", ("true",), SshAccess(user="quetzal"))
    assert "-l" not in command


def test_words_arrive_as_they_were_given() -> None:
    words = ("printf", "%s\n", "a b", "$HOME", "it's", "; rm -rf /", "")
    assert shlex.split(ssh_command("h", words, SshAccess())[-1]) == list(words)


@pytest.mark.parametrize("host", ["", "-oProxyCommand=evil", "a b", "a;b", "u@-x", "@h", "h\n"])
def test_what_is_no_host_is_refused(host) -> None:
    with pytest.raises(BadParameter, match="is no host"):
        ssh_command(host, ("true",), SshAccess())


@pytest.mark.parametrize("host", ["node-1", "u@node_1.example.org", "10.0.0.7", "fe80::1%eth0"])
def test_names_and_addresses_are_hosts(host) -> None:
    assert ssh_command(host, ("true",), SshAccess())[-2] == host


def test_hanging_up_speaks_to_the_same_connection() -> None:
    access = SshAccess(control_folder=Path("/run/q"), port=22)
    command = hang_up_command("h", access)
    assert command[:3] == ("ssh", "-O", "exit")
    assert 'ControlPath="/run/q/%C"' in command
    assert command[-2:] == ("--", "h")


def _stand_in(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(ssh, "ssh_command", lambda *_: ("sh", "-c", script))


def test_a_command_that_fails_there_is_the_callers_to_judge(monkeypatch) -> None:
    _stand_in(monkeypatch, "cat; echo 'no  such\nunit' >&2; exit 4")
    result = asyncio.run(run_on("h", ("x",), access=SshAccess(), stdin=b"given"))
    assert (result.status, result.stdout, result.said) == (4, b"given", "no such unit")


def test_sshs_own_failure_may_be_tried_again(monkeypatch) -> None:
    _stand_in(monkeypatch, "echo 'Host key verification failed.' >&2; exit 255")
    with pytest.raises(SshUnreachable, match="Host key verification failed"):
        asyncio.run(run_on("h", ("x",), access=SshAccess()))


def test_a_command_that_does_not_end_is_given_up(monkeypatch) -> None:
    _stand_in(monkeypatch, "exec sleep 60")
    with pytest.raises(SshUnreachable, match=r"did not finish within 0\.05 s"):
        asyncio.run(run_on("h", ("x",), access=SshAccess(), timeout_s=0.05))


def test_a_host_without_ssh_says_so(monkeypatch) -> None:
    monkeypatch.setattr(ssh, "ssh_command", lambda *_: ("/no/such/ssh",))
    with pytest.raises(SshUnreachable, match="there is no ssh here"):
        asyncio.run(run_on("h", ("x",), access=SshAccess()))
