"""The filter program, run by an interpreter, gives each call the verdict that the tables say."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quetzalcore.hypervisor.plan.bpf import Check, assemble, encode
from quetzalcore.hypervisor.plan.seccomp import ARCHITECTURES, oci_profile, program
from quetzalcore.hypervisor.plan.syscalls import ALLOWED, CONDITIONAL, REFUSED
from quetzalcore.hypervisor.runtime import CannotEnforce

ALLOW, KILL = 0x7FFF0000, 0x80000000
EPERM, ENOSYS = 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
NAMESPACE_FLAGS = 0x7E020080
words = st.integers(0, 2**32 - 1)


def interpret(
    code: bytes, *, number: int, architecture: int, arguments: tuple[int, ...] = ()
) -> int:
    """Run a classic BPF program over a ``struct seccomp_data``, as the kernel would."""
    data = struct.pack("=IIQ6Q", number, architecture, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    steps = list(struct.iter_unpack("=HBBI", code))
    accumulator = at = 0
    while True:
        operation, if_true, if_false, value = steps[at]
        at += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, value)
            case 0x05:
                at += value
            case 0x15:
                at += if_true if accumulator == value else if_false
            case 0x35:
                at += if_true if accumulator >= value else if_false
            case 0x45:
                at += if_true if accumulator & value else if_false
            case 0x06:
                return value
            case _:
                raise AssertionError(operation)


def expected(name: str, arguments: tuple[int, int]) -> int:
    """Say the verdict in plain words: the reference."""
    first, second = (argument & 0xFFFFFFFF for argument in arguments)
    if name == "clone":
        return ENOSYS if first & NAMESPACE_FLAGS else ALLOW
    if name in {"socket", "socketpair"}:
        return ALLOW if first == 1 else EPERM
    if name == "ioctl":
        return EPERM if second == 0x5412 else ALLOW
    if name == "personality":
        return ALLOW if first in {0, 0xFFFFFFFF} else ENOSYS
    if name in ALLOWED:
        return ALLOW
    return EPERM if name in REFUSED else ENOSYS


@pytest.mark.parametrize("machine", sorted(ARCHITECTURES))
def test_every_number_gets_its_verdict_on_every_machine(machine) -> None:
    column, architecture = ARCHITECTURES[machine]
    names = {
        numbers[column]: name
        for name, numbers in {**ALLOWED, **REFUSED, **CONDITIONAL}.items()
        if numbers[column] is not None
    }
    code = program(machine)
    assert len(code) // 8 < 4096
    for number in (*range(1000), 0x40000000, 0x40000001, 0xFFFFFFFF):
        verdict = interpret(code, number=number, architecture=architecture)
        assert verdict == expected(names.get(number, "unknown"), (0, 0)), number


@given(
    machine=st.sampled_from(sorted(ARCHITECTURES)),
    name=st.sampled_from(sorted(CONDITIONAL)),
    arguments=st.tuples(
        st.one_of(
            st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 2, 10, 17, 0x20000, 0x10000011])
        ),
        st.one_of(st.integers(0, 2**64 - 1), st.just(0x5412)),
    ),
)
def test_what_depends_on_an_argument_depends_on_it_alone(machine, name, arguments) -> None:
    column, architecture = ARCHITECTURES[machine]
    number = CONDITIONAL[name][column]
    assert number is not None
    verdict = interpret(
        program(machine), number=number, architecture=architecture, arguments=arguments
    )
    assert verdict == expected(name, arguments)


@given(number=words, architecture=words)
def test_a_call_of_another_architecture_kills(number, architecture) -> None:
    if architecture != ARCHITECTURES["x86_64"][1]:
        assert interpret(program("x86_64"), number=number, architecture=architecture) == KILL


@given(
    verdicts=st.dictionaries(st.integers(0, 600), st.sampled_from([1, 2, 3]), max_size=600),
    numbers=st.lists(words, min_size=1),
)
def test_any_table_of_verdicts_becomes_a_program_that_gives_them(verdicts, numbers) -> None:
    code = encode(assemble(verdicts, default=9, architecture=7, end=601))
    for number in (*verdicts, *numbers):
        assert interpret(code, number=number, architecture=7) == verdicts.get(number, 9)


@given(st.integers(0, 2**32 - 1))
def test_a_check_of_several_values_passes_each(value) -> None:
    check = Check(argument=0, test="equal", values=(3, 5, 0xFFFFFFFF), passed=1, otherwise=2)
    code = encode(assemble({4: check}, default=9, architecture=7, end=5))
    for argument in (value, 3, 5, 0xFFFFFFFF):
        verdict = interpret(code, number=4, architecture=7, arguments=(argument,))
        assert verdict == (1 if argument in {3, 5, 0xFFFFFFFF} else 2)


def test_no_call_is_in_two_tables() -> None:
    assert not set(ALLOWED) & set(REFUSED)
    assert not set(CONDITIONAL) & (set(ALLOWED) | set(REFUSED))


def test_the_oci_profile_speaks_of_the_same_calls() -> None:
    profile = oci_profile("x86_64")
    assert profile["defaultErrnoRet"] == errno.ENOSYS
    allowed, refused = profile["syscalls"][:2]
    assert set(allowed["names"]) == set(ALLOWED)
    assert set(refused["names"]) == set(REFUSED)
    assert {n for rule in profile["syscalls"][2:] for n in rule["names"]} == set(CONDITIONAL)
    assert all(rule["args"] for rule in profile["syscalls"][2:])


@pytest.mark.parametrize("dangerous", ["ptrace", "mount", "unshare", "setns", "bpf", "keyctl", "io_uring_setup", "clone3", "kexec_load"])  # fmt: skip
def test_the_dangerous_are_not_allowed(dangerous) -> None:
    assert dangerous not in ALLOWED


def test_an_unknown_machine_type_is_refused() -> None:
    with pytest.raises(CannotEnforce, match="riscv64"):
        program("riscv64")
