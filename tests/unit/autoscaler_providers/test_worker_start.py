"""What a new worker is told, and the script that starts it: run for real, in a folder."""

from __future__ import annotations

import subprocess

import pytest

from quetzalcore.autoscaler.worker_start import (
    WorkerAccess,
    environment_file,
    startup_script,
    worker_environment,
)
from quetzalcore.errors import BadParameter

ACCESS = WorkerAccess(join_url="https://gateway.example.org", join_key='qz_it\'s "quoted" $HOME')


def test_a_key_is_never_shown() -> None:
    assert "qz_" not in repr(ACCESS)


def test_the_script_keeps_the_variables_and_runs_both_commands_with_them(tmp_path) -> None:
    variables = worker_environment(ACCESS, "w-1")
    script = startup_script(
        variables,
        install=f'echo "$QUETZAL_NODE_ID" > {tmp_path}/installed',
        start=f'printf %s "$QUETZAL_JOIN_KEY" > {tmp_path}/started',
    ).replace("/etc/quetzalcore", str(tmp_path / "etc"))
    subprocess.run(("sh", "-c", script), check=True, env={"PATH": "/usr/bin:/bin", "HOME": "/no"})
    assert (tmp_path / "installed").read_text() == "w-1\n"
    assert (tmp_path / "started").read_text() == ACCESS.join_key
    assert (tmp_path / "etc" / "worker.env").stat().st_mode & 0o777 == 0o600


def test_a_script_that_cannot_install_does_not_start(tmp_path) -> None:
    script = startup_script(
        worker_environment(ACCESS, "w-1"), install="false", start=f"touch {tmp_path}/started"
    ).replace("/etc/quetzalcore", str(tmp_path / "etc"))
    assert subprocess.run(("sh", "-c", script), check=False).returncode != 0
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("value", ["two\nlines", "a\0b", "\x1b[2J"])
def test_a_variable_with_control_characters_is_refused(value) -> None:
    with pytest.raises(BadParameter, match="KEY has a line break"):
        environment_file({"KEY": value})
