"""The runtime for a spec: the first that holds what it needs, or a refusal that says how to mend it."""

from __future__ import annotations

from typing import Any

import pytest

from quetzalcore.hypervisor.choosing import ORDER, choose, needed, pick
from quetzalcore.hypervisor.runtime import CannotEnforce, Capabilities, Stats
from quetzalcore.hypervisor.spec import Limit, Trust
from quetzalcore.hypervisor.trial import TRIAL_SPEC, judge

EVERY = frozenset(Limit)
TENANT, OWNER = Trust.TENANT, Trust.OWNER


def able(name: str, enforces: frozenset[Limit] = EVERY) -> Capabilities:
    missing = {str(limit): f"{name} cannot hold {limit}" for limit in EVERY - enforces}
    return Capabilities(name=name, available=True, enforces=enforces, missing=missing)


def absent(name: str) -> Capabilities:
    return Capabilities(
        name=name,
        available=False,
        enforces=frozenset(),
        missing={"runtime": f"{name} is not installed"},
    )


def test_a_tenant_needs_every_limit_and_the_owner_none() -> None:
    assert needed(TENANT) == EVERY
    assert needed(OWNER) == frozenset()


class _Tried:
    """A runtime that counts how often it was tried."""

    def __init__(self, found: Capabilities) -> None:
        self.name, self._found, self.tried = found.name, found, 0

    def probe(self) -> Capabilities:
        self.tried += 1
        return self._found

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- only probe is used
        raise AttributeError(name)


def test_crun_comes_before_runc_before_bubblewrap() -> None:
    assert ORDER.index("crun") < ORDER.index("runc") < ORDER.index("bubblewrap")
    assert ORDER[-1] == "process"


def test_no_runtime_is_tried_after_one_that_holds_everything() -> None:
    weak, strong, spare = _Tried(able("a", frozenset())), _Tried(able("b")), _Tried(able("c"))
    assert pick([weak, strong, spare], TENANT) is strong
    assert pick([weak, strong, spare], OWNER) is strong
    assert spare.tried == 0


def test_the_one_that_is_picked_is_the_one_that_was_chosen() -> None:
    lesser, more = (
        _Tried(able("a", EVERY - {Limit.CPU, Limit.PIDS})),
        _Tried(able("b", EVERY - {Limit.CPU})),
    )
    assert pick([lesser, more], OWNER) is more
    with pytest.raises(CannotEnforce, match="enforces cpu"):
        pick([lesser, more], TENANT)


def test_a_runtime_that_lacks_a_limit_is_passed_over_for_a_tenant() -> None:
    known = [able("crun", EVERY - {Limit.MEMORY}), able("bubblewrap")]
    assert choose(TENANT, known).name == "bubblewrap"


def test_the_owners_work_takes_whoever_holds_most_and_the_plain_process_last() -> None:
    assert (
        choose(OWNER, [able("process", frozenset()), able("crun", EVERY - {Limit.CPU})]).name
        == "crun"
    )
    assert choose(OWNER, [absent("crun"), able("process", frozenset())]).name == "process"


def test_a_refusal_names_the_limit_the_reason_and_the_remedy() -> None:
    known = [absent("crun"), able("process", EVERY - {Limit.NETWORK})]
    with pytest.raises(CannotEnforce) as refused:
        choose(TENANT, known)
    assert "enforces network" in str(refused.value)
    assert "process cannot hold network" in str(refused.value)
    assert "crun is not installed" in str(refused.value)


def test_no_runtime_at_all_is_refused() -> None:
    with pytest.raises(CannotEnforce, match="install runc"):
        choose(OWNER, [])


REPORT = {
    "uid": "1879048193", "capabilities": "0000000000000000", "no_new_privileges": "1", "filter": "2",
    "interfaces": "lo ", "system": "closed", "shadow": "closed", "sysctl": "closed", "space": "4194304",
}  # fmt: skip
USED = Stats(cpu_s=0.1, peak_memory_mib=68.0, pids=0, out_of_memory=True, out_of_pids=True)
QUOTA_US = round(TRIAL_SPEC.cpus * 100_000)


def test_a_machine_that_met_every_wall_makes_its_runtime_complete() -> None:
    assert judge("crun", REPORT, USED, quota_us=QUOTA_US).enforces == EVERY


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        ({"uid": "0"}, Limit.PRIVILEGES),
        ({"capabilities": "00000000a80425fb"}, Limit.PRIVILEGES),
        ({"no_new_privileges": "0"}, Limit.PRIVILEGES),
        ({"sysctl": "open"}, Limit.PRIVILEGES),
        ({"filter": "0"}, Limit.SYSCALLS),
        ({"interfaces": "lo eth0 "}, Limit.NETWORK),
        ({"system": "open"}, Limit.FILESYSTEM),
        ({"shadow": "open"}, Limit.FILESYSTEM),
        ({"space": "6000000"}, Limit.SCRATCH),
    ],
)
def test_each_open_wall_costs_its_limit(change, lost) -> None:
    found = judge("crun", REPORT | change, USED, quota_us=QUOTA_US)
    assert found.enforces == EVERY - {lost}
    assert set(found.missing) == {lost}


def test_limits_that_were_not_met_are_not_claimed() -> None:
    idle = Stats(cpu_s=0.1, peak_memory_mib=1.0, pids=1)
    found = judge("crun", REPORT, idle, quota_us=0)
    assert EVERY - found.enforces == {Limit.CPU, Limit.MEMORY, Limit.PIDS, Limit.WALL}
