"""All-pairs sums: one scalar pair function, and the serial loops that are emitted from it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from types import CodeType, FunctionType
from typing import Any, cast

import numba
import numpy as np
from numpy.typing import NDArray

from quetzalcore.vgpu.arithmetic import OPTIONS

__all__ = ["PairFunction", "emit_numba", "fingerprint", "localise"]

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFunction:
    """What one source does at one target, written once as straight-line scalar Python.

    Parameters
    ----------
    function : callable
        ``function(*target, *source) -> tuple`` of ``outputs`` numbers. It is marked with
        :func:`quetzalcore.vgpu.arithmetic.scalar`, has no loop and no branch (``select`` chooses), and
        contains no float literal, so that the same source serves single and double precision.
    target_axes, source_axes : tuple of (int or None)
        For every column the coordinate axis that it is a position on, or None if it is no position.
        Positions on one axis share an origin, which is subtracted in double precision.
    outputs : int
        Length of the tuple that ``function`` returns.
    """

    function: Callable[..., tuple[Any, ...]]
    target_axes: tuple[int | None, ...]
    source_axes: tuple[int | None, ...]
    outputs: int


def localise(
    pair: PairFunction,
    targets: Sequence[Array],
    sources: Sequence[Array],
    dtype: type[np.float32 | np.float64],
) -> tuple[list[Array], list[Array]]:
    """Subtract each axis's origin (the first known target) in float64, then cast to ``dtype``."""
    origin = {
        axis: float(next(iter(column[np.isfinite(column)]), 0.0))
        for axis, column in zip(pair.target_axes, targets, strict=True)
        if axis is not None
    }

    def near(column: Array, axis: int | None) -> Array:
        wide = np.ascontiguousarray(column, dtype=np.float64)
        shifted = wide if axis is None else wide - origin[axis]
        return shifted.astype(dtype)

    return (
        [near(c, axis) for c, axis in zip(targets, pair.target_axes, strict=True)],
        [near(c, axis) for c, axis in zip(sources, pair.source_axes, strict=True)],
    )


@cache
def emit_numba(pair: PairFunction) -> Callable[..., None]:
    """Emit ``loop(*targets, *sources, *outputs)``: serial, GIL-free, adding into ``outputs``.

    Every argument is a contiguous array of one precision. The inner loop runs over targets, so that
    each target's sum is taken in the order of the sources whatever the slicing.
    """
    # Compiled under this file's name: Numba keeps its cache beside the file a function comes from.
    code = compile(_source(pair), __file__, "exec")
    scope: dict[str, Any] = {"__name__": __name__}  # Numba loads its cache by module name
    exec(code, scope)  # noqa: S102 -- our own text, made of numbered names only
    loop = scope["make"](pair.function, fingerprint(pair.function))
    options = {name: value for name, value in OPTIONS.items() if name != "forceinline"}
    compiled = numba.njit(cache=True, nogil=True, **options)(loop)
    return cast("Callable[..., None]", compiled)


def _source(pair: PairFunction) -> str:
    targets = [f"t{i}" for i in range(len(pair.target_axes))]
    sources = [f"s{i}" for i in range(len(pair.source_axes))]
    outputs = [f"o{i}" for i in range(pair.outputs)]
    here = ", ".join([*(f"{t}[i]" for t in targets), *(f"{s}j" for s in sources)])
    lines = [
        "def make(pair, fingerprint):",
        f"    def loop({', '.join([*targets, *sources, *outputs])}):",
        "        fingerprint",  # part of the closure, and so of the key of Numba's cache
        "        for j in range(len(s0)):",
        *(f"            {s}j = {s}[j]" for s in sources),
        "            for i in range(len(t0)):",
        f"                {', '.join(f'{o}i' for o in outputs)}, = pair({here})",
        *(f"                {o}[i] += {o}i" for o in outputs),
        "    return loop",
    ]
    return "\n".join(lines)


def fingerprint(function: Callable[..., Any]) -> str:
    """Digest a function and all that it calls: Numba's own key does not see the callees change."""
    digest = hashlib.sha256()
    for part in _parts(cast("FunctionType", function), seen=set()):
        digest.update(part.encode())
    return digest.hexdigest()


def _parts(function: FunctionType, *, seen: set[str]) -> Iterator[str]:
    if function.__qualname__ in seen:
        return
    seen.add(function.__qualname__)
    code = function.__code__
    constants = [c for c in code.co_consts if not isinstance(c, CodeType)]
    yield f"{code.co_code.hex()} {constants!r} {code.co_names!r}"
    for name in code.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, FunctionType):
            yield from _parts(value, seen=seen)
        elif isinstance(value, int | float | np.generic):
            yield repr(value)
