"""A small assembler for seccomp filters: system call numbers to verdicts, as a balanced tree of jumps."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Check", "Instruction", "assemble", "encode"]

_LOAD, _JUMP, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT, _RETURN = 0x20, 0x05, 0x15, 0x35, 0x45, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_KILL = 0x80000000
_FARTHEST = 255  # a conditional jump's reach


@dataclass(frozen=True, slots=True)
class Instruction:
    """One ``struct sock_filter``."""

    code: int
    if_true: int
    if_false: int
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A verdict that depends on the low half of an argument: ``test`` is ``equal`` or ``any_bit``.

    The first of ``values`` that the argument passes gives ``passed``; otherwise ``otherwise``.
    """

    argument: int
    test: str
    values: tuple[int, ...]
    passed: int
    otherwise: int


def assemble(
    verdicts: Mapping[int, int | Check], *, default: int, architecture: int, end: int
) -> tuple[Instruction, ...]:
    """Build a filter: ``verdicts`` for their numbers, ``default`` for all others below and from ``end`` on.

    A call of another architecture kills the process: its numbers mean something else.
    """
    return (
        Instruction(_LOAD, 0, 0, _ARCHITECTURE_AT),
        Instruction(_IF_EQUAL, 1, 0, architecture),
        Instruction(_RETURN, 0, 0, _KILL),
        Instruction(_LOAD, 0, 0, _NUMBER_AT),
        *_tree(_segments(verdicts, default, end)),
    )


def encode(program: Sequence[Instruction]) -> bytes:
    """Give the bytes that the kernel reads, in this machine's order."""
    return b"".join(
        struct.pack("=HBBI", one.code, one.if_true, one.if_false, one.value) for one in program
    )


def _segments(
    verdicts: Mapping[int, int | Check], default: int, end: int
) -> list[tuple[int, int | Check]]:
    """Join neighbours of one verdict: (first number, verdict), in order, the first from 0."""
    segments: list[tuple[int, int | Check]] = []
    for number in range(end + 1):
        verdict = verdicts.get(number, default)
        if not segments or segments[-1][1] != verdict:
            segments.append((number, verdict))
    return segments


def _tree(segments: Sequence[tuple[int, int | Check]]) -> tuple[Instruction, ...]:
    if len(segments) == 1:
        return _leaf(segments[0][1])
    middle = len(segments) // 2
    low, high = _tree(segments[:middle]), _tree(segments[middle:])
    first = segments[middle][0]
    if len(low) <= _FARTHEST:
        return (Instruction(_IF_AT_LEAST, len(low), 0, first), *low, *high)
    jump = Instruction(_JUMP, 0, 0, len(low))
    return (Instruction(_IF_AT_LEAST, 0, 1, first), jump, *low, *high)


def _leaf(verdict: int | Check) -> tuple[Instruction, ...]:
    if isinstance(verdict, int):
        return (Instruction(_RETURN, 0, 0, verdict),)
    test = _IF_EQUAL if verdict.test == "equal" else _IF_ANY_BIT
    tests = [
        Instruction(test, len(verdict.values) - index, 0, value)
        for index, value in enumerate(verdict.values)
    ]
    return (
        Instruction(_LOAD, 0, 0, _ARGUMENTS_AT + 8 * verdict.argument),
        *tests,
        Instruction(_RETURN, 0, 0, verdict.otherwise),
        Instruction(_RETURN, 0, 0, verdict.passed),
    )
