from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from quetzalcore.hypervisor.forks import (
    Asked,
    Bond,
    BranchEnded,
    Claim,
    Claimed,
    ClaimFailed,
    Closed,
    Died,
    End,
    Event,
    Fork,
    ForkLimits,
    ForkState,
    GoAlone,
    Ticked,
    bond_of,
    decide,
)
from quetzalcore.hypervisor.spec import VMSpec

LIMITS = ForkLimits(at_once=2, in_all=5, idle_s=30.0)
BONDS = [
    bond_of(VMSpec(tenant="ann", cpus=1)),
    bond_of(VMSpec(tenant="ann", cpus=2)),
    bond_of(VMSpec(tenant="bob", cpus=1)),
]
ANY_BOND = st.sampled_from(BONDS)


class ForkMachine(RuleBasedStateMachine):
    """Any order of events, with every promise of forking checked after each."""

    def __init__(self) -> None:
        super().__init__()
        self.state, self.now_s, self.names, self.closed = ForkState(), 0.0, 0, False
        self.asked: Counter[Bond] = Counter()
        self.claims: list[Bond] = []
        self.bound: dict[str, Bond] = {}  # for ever: a VM's bond never changes
        self.served: Counter[str] = Counter()
        self.running: Counter[str] = Counter()
        self.alive: set[str] = set()

    def tell(self, event: Event) -> None:
        self.state, actions = decide(self.state, event, LIMITS)
        for action in actions:
            if isinstance(action, Fork):
                assert action.vm_id in self.alive
                assert self.bound[action.vm_id] == action.bond, "a tenant met another's VM"
                self.asked[action.bond] -= 1
                self.served[action.vm_id] += 1
                self.running[action.vm_id] += 1
            elif isinstance(action, Claim):
                self.claims.append(action.bond)
            elif isinstance(action, GoAlone):
                self.asked[action.bond] -= 1
            elif isinstance(action, End):
                assert action.vm_id in self.alive
                assert not self.running[action.vm_id], "ended under a running job"
                self.alive.remove(action.vm_id)

    @rule(bond=ANY_BOND)
    def a_job_comes(self, bond: Bond) -> None:
        self.asked[bond] += 1
        self.tell(Asked(at_s=self.now_s, bond=bond))

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), well=st.booleans())
    def a_claim_is_settled(self, data, *, well: bool) -> None:
        bond = self.claims.pop(data.draw(st.integers(0, len(self.claims) - 1)))
        if not well:
            self.tell(ClaimFailed(at_s=self.now_s, bond=bond))
            return
        self.names += 1
        name = f"vm{self.names}"
        self.bound[name] = bond
        self.alive.add(name)
        self.tell(Claimed(at_s=self.now_s, bond=bond, vm_id=name))

    @precondition(lambda self: +self.running)
    @rule(data=st.data())
    def a_job_ends(self, data) -> None:
        name = data.draw(st.sampled_from(sorted(+self.running)))
        self.running[name] -= 1
        self.tell(BranchEnded(at_s=self.now_s, vm_id=name))

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def a_vm_dies(self, data) -> None:
        name = data.draw(st.sampled_from(sorted(self.alive)))
        self.alive.remove(name)
        self.tell(Died(at_s=self.now_s, vm_id=name))

    @rule(wait_s=st.floats(0, 60))
    def time_passes(self, wait_s: float) -> None:
        self.now_s += wait_s
        self.tell(Ticked(at_s=self.now_s))
        idle = {p.vm_id for p in self.state.parents if not p.running}
        assert all(
            self.now_s - p.idle_since_s < LIMITS.idle_s
            for p in self.state.parents
            if p.vm_id in idle
        )

    @rule()
    def it_closes(self) -> None:
        self.closed = True
        self.tell(Closed(at_s=self.now_s))

    @invariant()
    def limits_hold(self) -> None:
        assert all(count <= LIMITS.in_all for count in self.served.values())
        assert all(self.running[name] <= LIMITS.at_once for name in self.alive)

    @invariant()
    def everyone_who_waits_waits_for_a_claim(self) -> None:
        waiting: Counter[Bond] = Counter()
        for bond, count in self.state.claims:
            waiting[bond] += count
        assert +waiting == +self.asked
        assert Counter(bond for bond, _ in self.state.claims) == Counter(self.claims)

    @invariant()
    def a_vm_that_cannot_serve_any_more_is_gone(self) -> None:
        assert {p.vm_id for p in self.state.parents} == self.alive
        for parent in self.state.parents:
            assert parent.running or parent.served < LIMITS.in_all


TestForks = ForkMachine.TestCase


def test_a_size_or_a_tenant_of_its_own_is_a_bond_of_its_own() -> None:
    assert len(set(BONDS)) == 3
    assert bond_of(VMSpec(tenant="ann", cpus=1, wall_s=5.0)) == BONDS[0]
