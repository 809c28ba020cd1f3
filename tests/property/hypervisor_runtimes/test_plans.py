"""Whatever is asked for: no plan shows or gives a guest what it must not have, and every plan has limits."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from quetzalcore.hypervisor.plan import bubblewrap, oci
from quetzalcore.hypervisor.plan.environment import environment
from quetzalcore.hypervisor.plan.limits import group_limits, settings_v1, settings_v2
from quetzalcore.hypervisor.plan.rlimits import rlimits
from quetzalcore.hypervisor.plan.seccomp import oci_profile
from quetzalcore.hypervisor.plan.view import HostTree, plan_view
from quetzalcore.hypervisor.runtime import CannotEnforce, Launch
from quetzalcore.hypervisor.spec import VMSpec

specs = st.builds(
    VMSpec,
    cpus=st.floats(0.05, 256),
    memory_mib=st.integers(16, 1 << 20),
    pids=st.integers(1, 100_000),
    scratch_mib=st.integers(1, 1 << 20),
    wall_s=st.floats(0.1, 1e6),
)
names = st.text("abcxyz-_.", min_size=1, max_size=8).filter(lambda name: name not in {".", ".."})
paths = st.lists(names, min_size=2, max_size=5).map(lambda parts: PurePosixPath("/", *parts))
commands = st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=5)
launches = st.builds(
    Launch,
    vm_id=names,
    spec=specs,
    folder=paths.map(Path),
    command=commands,
    channel=st.integers(3, 100),
)
places = st.builds(
    oci.Places, root=paths, inputs=paths, space=paths, late=st.lists(st.tuples(paths, paths), max_size=3),
    uid=st.integers(1_879_048_192, 2**31 - 1), group=st.sampled_from(["", "box"]),
)  # fmt: skip
HOST = HostTree(
    links={"/bin": "usr/bin", "/lib": "usr/lib"},
    folders=(PurePosixPath("/usr"),),
    python=(PurePosixPath("/home/ann/project/.venv"), PurePosixPath("/opt/python3")),
    files={"etc/ld.so.cache": b"cache"},
)


@given(launch=launches, places=places)
def test_no_configuration_gives_a_guest_power(launch, places) -> None:
    document = oci.configuration(launch, places, seccomp=oci_profile("x86_64"), program=b"filter")
    process, linux = document["process"], document["linux"]
    assert process["user"]["uid"] > 0
    assert process["user"]["gid"] > 0
    assert process["noNewPrivileges"] is True
    assert set(process["capabilities"]) == {
        "bounding",
        "effective",
        "inheritable",
        "permitted",
        "ambient",
    }
    assert not any(process["capabilities"].values())
    namespaces = {entry["type"]: entry for entry in linux["namespaces"]}
    assert set(namespaces) == {"cgroup", "ipc", "mount", "network", "pid", "uts"}
    assert not any("path" in entry for entry in namespaces.values())
    assert linux["seccomp"]["defaultAction"] == "SCMP_ACT_ERRNO"
    assert {"/proc/kcore", "/proc/keys", "/proc/sysrq-trigger"} <= set(linux["maskedPaths"])
    assert "/proc/sys" in linux["readonlyPaths"]
    assert {limit["type"] for limit in process["rlimits"]} == {"RLIMIT_CORE", "RLIMIT_NOFILE"}
    assert process["args"] == list(launch.command)
    assert json.loads(json.dumps(document)) == document


@given(launch=launches, places=places)
def test_only_a_guests_own_space_is_writable(launch, places) -> None:
    document = oci.configuration(launch, places, seccomp={}, program=b"")
    assert document["root"]["readonly"] is True
    for mount in document["mounts"]:
        options = set(mount["options"])
        assert "nosuid" in options
        if mount["type"] == "bind" and "ro" not in options:
            assert PurePosixPath(mount["source"]).parent == places.space
            assert mount["destination"] in {"/dev/shm", "/tmp", "/out"}  # noqa: S108 -- the guest's own
        if mount["type"] == "bind":
            assert "nodev" in options
    assert not any(mount["destination"].startswith("/sys") for mount in document["mounts"])


@given(
    folders=st.builds(
        bubblewrap.Folders,
        root=paths,
        inputs=paths,
        space=paths,
        late=st.lists(st.tuples(paths, paths), max_size=3),
    ),
    command=commands,
    uid=st.integers(1_879_048_192, 2**31 - 1),
)
def test_bubblewrap_never_runs_as_root_and_binds_only_the_space_writable(
    folders, command, uid
) -> None:
    told = bubblewrap.options(folders, seccomp=5)
    for index, word in enumerate(told):
        if word == "--bind":
            assert PurePosixPath(told[index + 1]).parent == folders.space
    assert told[: told.index("--seccomp")][0] == "--unshare-all"
    assert "--die-with-parent" in told
    assert "--new-session" in told
    assert not {"--share-net", "--cap-add", "--dev-bind"} & set(told)
    line = bubblewrap.command_line(
        "/usr/bin/bwrap", command, args=4, drop=("/usr/bin/setpriv", uid)
    )
    assert line.index("--reuid") < line.index("/usr/bin/bwrap")
    assert line[line.index("--reuid") + 1] == str(uid)
    assert list(line[-len(command) :]) == command


@given(spec=specs, now=st.integers(0, 1 << 45))
def test_limits_are_always_set_and_version_1s_order_is_always_accepted(spec, now) -> None:
    limits = group_limits(spec)
    assert limits.cpu_quota_us >= 1000
    assert limits.memory_bytes >= (spec.memory_mib + spec.scratch_mib) << 20
    memory = with_swap = now
    files = []
    for controller, file, value in settings_v1(limits, now):
        files.append(file)
        memory = int(value) if file == "memory.limit_in_bytes" else memory
        with_swap = int(value) if file == "memory.memsw.limit_in_bytes" else with_swap
        assert memory <= with_swap  # the kernel refuses anything else
        assert file.startswith(controller)
    assert set(files) == {
        "cpu.cfs_period_us", "cpu.cfs_quota_us", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "pids.max",
    }  # fmt: skip
    assert {file for _, file, _ in settings_v2(limits)} == {
        "cpu.max",
        "memory.max",
        "memory.swap.max",
        "pids.max",
    }


@given(spec=specs)
def test_a_guests_environment_and_rlimits_come_from_its_spec_alone(spec) -> None:
    variables = environment(spec)
    assert int(variables["OMP_NUM_THREADS"]) >= spec.cpus
    assert variables["QUETZAL_OUT"] == "/out"
    assert rlimits(spec)["RLIMIT_CORE"] == (0, 0)
    assert all(0 <= soft <= hard for soft, hard in rlimits(spec).values())


@given(readable=st.lists(paths, max_size=5), hidden=paths)
def test_no_view_shows_anything_hidden(readable, hidden) -> None:
    try:
        view = plan_view(HOST, readable=readable, hidden=(hidden,))
    except CannotEnforce:
        return
    for bind in (*view.binds, *view.late):
        assert not hidden.is_relative_to(bind)
        assert not bind.is_relative_to(hidden)


@given(readable=st.lists(paths, max_size=6))
def test_a_view_shows_all_that_was_asked_for_and_binds_nothing_twice(readable) -> None:
    assume(not any(path.is_relative_to("/proc") for path in readable))
    view = plan_view(HOST, readable=readable)
    binds = (*view.binds, *view.late)
    for path in (*readable, *HOST.folders, *HOST.python):
        assert sum(path.is_relative_to(bind) for bind in binds) == 1
    assert plan_view(HOST, readable=tuple(reversed(readable))) == view


_WIDE = ["/", "/home", "/root", "/etc", "/var", "/tmp", "/proc", "/sys", "/run", "/home/ann"]  # noqa: S108 -- refused


@pytest.mark.parametrize("wide", _WIDE)
def test_a_path_that_holds_more_than_programs_is_refused(wide) -> None:
    with pytest.raises(CannotEnforce, match="would see all of"):
        plan_view(HOST, readable=(PurePosixPath(wide),))


@pytest.mark.parametrize("crooked", ["relative", "/usr/../etc"])
def test_a_crooked_path_is_refused(crooked) -> None:
    with pytest.raises(CannotEnforce, match="not an absolute path"):
        plan_view(HOST, readable=(PurePosixPath(crooked),))


def test_what_lies_in_the_private_folder_is_bound_last() -> None:
    view = plan_view(HOST, readable=(PurePosixPath("/tmp/clone/.venv"),))  # noqa: S108 -- a path to show
    assert view.late == (PurePosixPath("/tmp/clone/.venv"),)  # noqa: S108 -- a path to show
    assert view.late[0] not in view.binds
