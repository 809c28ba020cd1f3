"""The scripts of given hosts where systemd runs: with a systemctl that only notes what it is told."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.integration.autoscaler_providers.grounds.ground import START

from quetzalcore.autoscaler.host_scripts import (
    BROKEN,
    STALE,
    TAKEN,
    launch_command,
    launch_input,
    look_command,
    read_view,
    terminate_command,
)
from quetzalcore.autoscaler.marks import Mark
from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.provider_settings import HostsSettings

_SYSTEMCTL = """#!/bin/sh
echo "$@" >> {folder}/asked
case "$1" in
  cat) [ "$3" = quetzalcore-hv ] ;;
  start) [ ! -e {folder}/broken ] || exit 1; touch {folder}/active ;;
  stop) rm -f {folder}/active ;;
  is-active) [ -e {folder}/active ] ;;
esac
"""
MARK = Mark(
    cluster="quetzal",
    order="w-1",
    epoch=5,
    launched_at=START,
    shape=Shape(name="host", cpus=2.0, memory_mib=2048),
)


class _Host:
    """A folder that stands for a host with systemd."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = HostsSettings(folder=str(folder / "worker"))
        (folder / "bin").mkdir()
        (folder / "bin" / "systemctl").write_text(_SYSTEMCTL.format(folder=folder))
        (folder / "bin" / "systemctl").chmod(0o755)
        (folder / "systemd").mkdir()

    def run(
        self, command: tuple[str, ...], stdin: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        here = tuple(
            word.replace("/run/systemd/system", str(self.folder / "systemd")) for word in command
        )
        path = f"{self.folder / 'bin'}:/usr/bin:/bin"
        return subprocess.run(
            here, input=stdin, env={"PATH": path}, capture_output=True, check=False
        )

    def launch(self, mark: Mark = MARK) -> int:
        command = launch_command(self.settings, epoch=mark.epoch)
        return self.run(command, launch_input(mark, "QUETZAL_NODE_ID=w-1\n")).returncode

    def asked(self) -> list[str]:
        lines = (self.folder / "asked").read_text().splitlines()
        return [line for line in lines if line.startswith(("start", "stop"))]


@pytest.fixture
def host(tmp_path) -> _Host:
    return _Host(tmp_path)


def test_the_unit_is_started_with_its_variables_in_a_file(host) -> None:
    assert host.launch() == 0
    assert host.asked() == ["start -- quetzalcore-hv"]
    assert (host.folder / "worker" / "worker.env").read_text() == "QUETZAL_NODE_ID=w-1\n"
    view = read_view("h", host.run(look_command(host.settings)).stdout, cluster="quetzal")
    assert (view.taken, view.alive, view.mark, view.epoch) == (True, True, MARK, 5)


def test_a_taken_host_takes_no_second_worker(host) -> None:
    assert [host.launch(), host.launch()] == [0, TAKEN]


def test_a_unit_that_does_not_start_leaves_the_host_free(host) -> None:
    (host.folder / "broken").touch()
    assert host.launch() == BROKEN
    assert not read_view("h", host.run(look_command(host.settings)).stdout, cluster="q").taken


def test_the_unit_is_stopped_and_forgotten(host) -> None:
    host.launch()
    for _ in range(2):
        ended = host.run(terminate_command(host.settings, "w-1", epoch=5))
        assert ended.returncode == 0
    assert host.asked() == ["start -- quetzalcore-hv", "stop -- quetzalcore-hv"]
    assert not (host.folder / "worker" / "worker.env").exists()


def test_another_worker_is_not_stopped(host) -> None:
    host.launch()
    assert host.run(terminate_command(host.settings, "w-2", epoch=5)).returncode == 0
    assert host.asked() == ["start -- quetzalcore-hv"]


def test_an_older_leader_is_refused_by_the_host(host) -> None:
    host.launch()
    refused = host.run(terminate_command(host.settings, "w-1", epoch=4))
    assert (refused.returncode, refused.stdout) == (STALE, b"5\n")
    assert host.asked() == ["start -- quetzalcore-hv"]


_WORDS = st.sampled_from(["cpus", "memory_kib", "epoch", "alive", "mark", "banner"])
_VALUES = st.one_of(st.text(max_size=20), st.integers().map(str), st.just('{"role": 1}'))


@given(st.lists(st.tuples(_WORDS, _VALUES)))
def test_whatever_a_host_says_is_read_or_left(said) -> None:
    text = "\n".join(f"{word} {value}" for word, value in said)
    view = read_view("h", text.encode(errors="replace"), cluster="quetzal")
    assert view.mark is None
    assert view.shape.cpus >= 1
    assert view.epoch >= 0
