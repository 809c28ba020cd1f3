"""The process runtime starts, limits, measures and ends plain processes of the owner."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import pytest

from quetzalcore.hypervisor.runtime import CannotEnforce, Launch
from quetzalcore.hypervisor.runtimes.process import ProcessMachine, ProcessRuntime
from quetzalcore.hypervisor.spec import Trust, VMSpec


def launch_of(folder: Path, channel: int, code: str, trust: Trust = Trust.OWNER) -> Launch:
    return Launch(
        vm_id="vm-process-test",
        spec=VMSpec(cpus=1, memory_mib=512, trust=trust, scratch_mib=16),
        folder=folder,
        command=(sys.executable, "-c", code),
        channel=channel,
    )


def run(folder: Path, code: str) -> tuple[int, bytes, str]:
    async def go() -> tuple[int, bytes, str]:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            runtime = ProcessRuntime()
            machine = await runtime.launch(launch_of(folder, theirs.fileno(), code))
            assert isinstance(machine, ProcessMachine)
            theirs.close()
            status = await machine.wait()
            said = ours.recv(65536)
            await asyncio.sleep(0)
            await runtime.kill(machine)
            await runtime.kill(machine)
            assert runtime.stats(machine).cpu_s > 0
            return status, said, machine.console()

    return asyncio.run(go())


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_the_guest_speaks_on_descriptor_three_and_finds_its_folders(tmp_path: Path) -> None:
    code = (
        "import os, socket\n"
        "open(os.environ['QUETZAL_OUT'] + '/made', 'w').write('x')\n"
        "s = socket.socket(fileno=3); s.sendall(os.environ['QUETZAL_IN'].encode())\n"
    )
    status, said, _ = run(tmp_path, code)
    assert status == 0
    assert said == str(tmp_path / "in").encode()
    assert (tmp_path / "out" / "made").read_text() == "x"


def test_no_other_descriptor_and_no_host_variable_reaches_the_guest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "do not tell")
    code = "import os, socket; print(os.environ.get('SECRET_KEY'), sorted(map(int, os.listdir('/proc/self/fd')))[:4])"
    with (tmp_path / "open").open("w"):
        _, _, console = run(tmp_path, code + "; socket.socket(fileno=3).sendall(b'.')")
    assert console == "None [0, 1, 2, 3]\n"


def test_an_exit_status_and_a_signal_are_told_apart(tmp_path: Path) -> None:
    assert run(tmp_path, "import sys; sys.exit(7)")[0] == 7
    assert run(tmp_path, "import os; os.kill(os.getpid(), 11)")[0] == -11


def test_a_tenants_work_is_refused(tmp_path: Path) -> None:
    async def go() -> None:
        await ProcessRuntime().launch(launch_of(tmp_path, 0, "", Trust.TENANT))

    with pytest.raises(CannotEnforce, match="plain process"):
        asyncio.run(go())


def test_a_single_file_beyond_the_scratch_size_is_refused(tmp_path: Path) -> None:
    code = "import os; open(os.environ['QUETZAL_OUT'] + '/big', 'wb').write(bytes(32 << 20))"
    status, _, console = run(tmp_path, code)
    assert status == 1
    assert "File too large" in console


def test_kill_ends_a_daemonised_grandchild_that_ignores_signals(tmp_path: Path) -> None:
    code = (
        "import os, signal, socket, time\n"
        "s = socket.socket(fileno=3)\n"
        "signal.signal(15, signal.SIG_IGN)\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        s.sendall(str(os.getpid()).encode())\n"
        "    time.sleep(60)\n"
        "time.sleep(60)\n"
    )

    async def go() -> int:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours, theirs:
            runtime = ProcessRuntime()
            machine = await runtime.launch(launch_of(tmp_path, theirs.fileno(), code))
            pid = int(await asyncio.get_running_loop().sock_recv(ours, 64))
            await runtime.kill(machine)
            assert await machine.wait() == -9
            return pid

    pid = asyncio.run(go())
    assert not alive(pid)


def test_a_guest_that_prints_without_end_costs_the_host_nothing_but_its_last_words(
    tmp_path: Path,
) -> None:
    code = "import sys\nfor i in range(2000): sys.stdout.write('x' * 10000)\nprint('the end')"
    status, _, console = run(tmp_path, code)
    assert status == 0
    assert len(console) <= 8192
    assert console.endswith("the end\n")
