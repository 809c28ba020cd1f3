"""Hostile guests, really run: each is held by every runtime that claims so, and harms nobody."""

from __future__ import annotations

import asyncio
import os

import pytest

from quetzalcore.hypervisor.products import BadProduct, collect
from quetzalcore.hypervisor.runtime import CannotEnforce, Launch
from quetzalcore.hypervisor.spec import Limit, VMSpec

SMALL = VMSpec(cpus=1, memory_mib=64, scratch_mib=8, pids=24)


def test_each_runtime_was_tried_and_holds_every_limit(runtime) -> None:
    capabilities = runtime.probe()
    assert capabilities.available
    assert capabilities.enforces == frozenset(Limit)
    assert not capabilities.missing


def test_a_fork_bomb_stays_within_its_processes_and_dies_with_its_machine(run) -> None:
    ended = run(
        "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass\n",
        spec=SMALL,
        seconds=1.0,
    )
    assert ended.stats.out_of_pids
    assert ended.stats.pids == 0


def test_a_memory_eater_is_killed_by_its_own_limit(run) -> None:
    ended = run("x = []\nwhile True: x.append(bytearray(1 << 20))", spec=SMALL)
    assert ended.status == -9
    assert ended.stats.out_of_memory
    assert ended.stats.peak_memory_mib <= SMALL.memory_mib + SMALL.scratch_mib + 1


def test_spinning_processes_get_their_share_of_the_cpu_and_no_more(run) -> None:
    spec = VMSpec(cpus=0.25, memory_mib=128, scratch_mib=8, pids=24)
    ended = run("import os\nos.fork(); os.fork()\nwhile True: pass", spec=spec, seconds=1.2)
    assert ended.stats.cpu_s < 0.25 * ended.wall_s + 0.2


@pytest.mark.parametrize("folder", ["/out", "/tmp", "/dev/shm"])  # noqa: S108 -- the guest's own
def test_filling_a_folder_ends_in_no_space_left(run, folder) -> None:
    ended = run(
        "import errno\ntry:\n"
        f"  with open('{folder}/fill', 'wb', buffering=0) as f:\n"
        "    while True: f.write(bytes(1 << 20))\n"
        "except OSError as e: print(errno.errorcode[e.errno])"
    )
    assert ended.console == "ENOSPC\n"
    assert not ended.stats.out_of_memory
    assert sum(file.stat().st_size for file in (ended.folder / "out").iterdir()) <= 8 << 20


def test_filling_a_folder_with_many_empty_files_ends_too(run) -> None:
    ended = run(
        "import errno\ntry:\n"
        "  for i in range(10**9): open(f'/out/{i}', 'w').close()\n"
        "except OSError as e: print(errno.errorcode[e.errno])",
        spec=VMSpec(cpus=1, memory_mib=512, scratch_mib=8, pids=24),
    )
    assert ended.console == "ENOSPC\n"
    assert sum(1 for _ in (ended.folder / "out").iterdir()) <= 10_000


def test_no_socket_leads_out(run) -> None:
    ended = run(
        "import errno, socket\n"
        "for family in (2, 10, 16, 17, 30, 38, 40):\n"
        "  for kind in (1, 2, 3, 5):\n"
        "    for make in (socket.socket, socket.socketpair):\n"
        "      try: make(family, kind); print('open', family, kind)\n"
        "      except OSError as e: assert e.errno == errno.EPERM, e\n"
        "socket.socketpair(); socket.socket(socket.AF_UNIX)\n"
        "print(open('/proc/net/dev').read().count(':'))"
    )
    assert ended.console == "1\n"  # its own loopback, which nothing can use


def test_nothing_outside_its_own_folders_can_be_written(run) -> None:
    ended = run(
        "import os\n"
        "for path in ('/usr/x', '/in/x', '/x', '/etc/x', '/etc/passwd', '/dev/x', '/proc/sys/kernel/hostname',\n"
        "             '/proc/sysrq-trigger', '/proc/sys/vm/drop_caches', '/run/x', '/var/x', os.__file__):\n"
        "  try: open(path, 'w'); print('wrote', path)\n"
        "  except OSError: pass\n"
        "for path in ('/usr', '/in', '/', '/tmp', '/out'):\n"
        "  try: os.chmod(path, 0o777); print('changed', path) if path not in ('/tmp', '/out') else None\n"
        "  except OSError: pass\n"
        "try: os.mknod('/tmp/disk', 0o60600, os.makedev(254, 0)); print('made a device')\n"
        "except OSError: pass\n"
        "open('/tmp/own', 'w'); open('/out/own', 'w')\n"
    )
    assert ended.console == ""
    assert ended.status == 0


def test_nothing_of_the_host_can_be_read_but_the_system_and_python(run, tmp_path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the data folder")
    ended = run(
        "import os\n"
        f"for path in ('/etc/shadow', '/sys/class', '/var/run/docker.sock', '/var/lib', '/home', {str(secret)!r},\n"
        "             '/proc/kcore', '/proc/1/root/etc/shadow', '/etc/hostname', '/root/.ssh', '/run/quetzal', '/boot'):\n"
        "  try: os.stat(path) if path == '/proc/1/root/etc/shadow' or not os.path.isfile(path) else open(path, 'rb').read(1)\n"
        "  except OSError: continue\n"
        "  print('read', path)\n"
        "pids = [p for p in os.listdir('/proc') if p.isdigit()]\n"
        "print(len(pids), os.uname().nodename, os.listdir('/in'))"
    )
    lines = [line for line in ended.console.splitlines() if "kcore" not in line]
    assert lines == ["1 vm []"]


_CALLS = """
import ctypes, errno, platform
libc = ctypes.CDLL(None, use_errno=True)
NEW = {n: v for n, v in dict(user=0x10000000, mount=0x20000, pid=0x20000000, net=0x40000000).items()}
calls = {"unshare": (272, 97), "ptrace": (101, 117), "mount": (165, 40), "setns": (308, 268), "bpf": (321, 280),
 "keyctl": (250, 219), "userfaultfd": (323, 282), "perf_event_open": (298, 241), "io_uring_setup": (425, 425),
 "kexec_load": (246, 104), "clone3": (435, 435), "process_vm_readv": (310, 270), "open_by_handle_at": (304, 265),
 "pivot_root": (155, 41), "chroot": (161, 51), "fsopen": (430, 430), "add_key": (248, 217), "sync": (162, 81)}
column = 0 if platform.machine() == "x86_64" else 1
for name, numbers in calls.items():
    result = libc.syscall(numbers[column], 0, 0, 0, 0, 0)
    print(name, result, errno.errorcode.get(ctypes.get_errno()))
for name, flag in NEW.items():
    print("clone", name, libc.syscall((56, 220)[column], flag | 17, 0, 0, 0, 0), errno.errorcode.get(ctypes.get_errno()))
"""


def test_dangerous_system_calls_are_refused(run) -> None:
    ended = run(_CALLS)
    rows = [line.split() for line in ended.console.splitlines()]
    assert len(rows) == 22
    for *name, result, error in rows:
        assert result == "-1", name
        assert error == (
            "ENOSYS" if name[0] in {"clone", "clone3", "io_uring_setup"} else "EPERM"
        ), name


def test_a_guest_has_no_privilege_and_can_gain_none(run) -> None:
    ended = run(
        "import os\n"
        "print(*(line.split(':')[1].strip() for line in open('/proc/self/status')\n"
        "        if line.startswith(('CapEff', 'CapPrm', 'CapBnd', 'NoNewPrivs', 'Seccomp:'))))\n"
        "for call in (os.setuid, os.setgid):\n"
        "  try: call(0); print('became root')\n"
        "  except OSError: pass\n"
        "print(os.getuid() > 10**9, os.getgroups() in ([], [os.getgid()]))"
    )
    assert ended.console.splitlines() == [f"{0:016x} {0:016x} {0:016x} 1 2", "True True"]


def test_nothing_of_the_hosts_environment_or_open_files_is_inherited(run, monkeypatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "do not tell")
    descriptor = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(descriptor, True)
    try:
        ended = run(
            "import os\nprint('SECRET_KEY' in os.environ)\n"
            "print([d for d in range(256) if os.path.exists(f'/proc/self/fd/{d}')])"
        )
    finally:
        os.close(descriptor)
    assert ended.console == "False\n[0, 1, 2, 3]\n"


def test_ignoring_signals_and_daemonising_does_not_save_a_process(run) -> None:
    ended = run(
        "import os, signal, time\n"
        "for s in range(1, 64):\n"
        "  try: signal.signal(s, signal.SIG_IGN)\n"
        "  except (OSError, ValueError): pass\n"
        "if os.fork() == 0:\n"
        "  os.setsid()\n"
        "  if os.fork() == 0: time.sleep(600)\n"
        "  os._exit(0)\n"
        "time.sleep(600)",
        seconds=0.5,
    )
    assert ended.stats.pids == 0  # and the fixture has looked for processes and groups


def test_what_a_first_process_leaves_running_ends_with_it(run) -> None:
    ended = run("import os, time\nif os.fork() == 0: time.sleep(600)", seconds=10.0)
    assert ended.status == 0
    assert ended.wall_s < 10.0


def test_printing_without_end_costs_a_few_kilobytes(run) -> None:
    ended = run("import sys\nfor i in range(3000): sys.stdout.write('x' * 10000)\nprint('end')")
    assert ended.status == 0
    assert len(ended.console) <= 8192
    assert ended.console.endswith("end\n")


@pytest.mark.parametrize("code", ["os.symlink('/etc/shadow', '/out/a')", "os.mkfifo('/out/a')"])
def test_what_is_no_plain_file_is_not_taken(run, code) -> None:
    ended = run(f"import os\n{code}")
    with pytest.raises(BadProduct, match="not a plain file"):
        collect(ended.folder / "out")


def test_plain_files_are_taken_with_their_contents(run) -> None:
    ended = run("import os\nos.mkdir('/out/grids')\nopen('/out/grids/tmi.tif', 'w').write('data')")
    (product,) = collect(ended.folder / "out")
    assert product.name == "grids/tmi.tif"
    assert product.media_type == "image/tiff"
    assert product.path.read_text() == "data"


def test_a_path_that_would_show_the_machines_own_folder_is_refused(runtime, tmp_path) -> None:
    launch = Launch(
        vm_id="vm-wide",
        spec=SMALL,
        folder=tmp_path / "vm",
        command=("/bin/true",),
        channel=0,
        readable=(tmp_path,),
    )
    with pytest.raises(CannotEnforce, match="would see all of"):
        asyncio.run(runtime.launch(launch))
