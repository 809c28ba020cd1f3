"""One module run under wasmtime: no imports, bounded fuel, bounded memory, the same answer every time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import wasmtime
from wasmtime import Config, Engine, Func, Instance, Memory, Module, Store, Trap, TrapCode
from wasmtime import _ffi as ffi  # the one setting that has no public name yet

from quetzalcore.errors import BadParameter, UnreadableInput, UserMistake, Where
from quetzalcore.geophysics.survey import Floats
from quetzalcore.workloads.wasm.kind import ModuleParams
from quetzalcore.workloads.wasm.modules import MOST_MODULE_BYTES

__all__ = ["Machine", "ModuleFailed", "ModuleFile", "Spent", "load_machine"]

_MAGIC = b"\x00asm"
_MOST_BYTES = 1 << 32  # 32-bit addresses
_STACK_BYTES = 512 << 10
_NUMBER_BYTES = 8
_MOST_TABLE = 100_000
_LISTED, _SHOWN = 3, 200
_MIB = 1 << 20
_ALLOC = (["i32"], ["i32"])
_SIGNATURES = {
    "alloc": _ALLOC,
    "configure": (["i32", "i32"], ["i32"]),
    "columns": (["i32", "i32", "i32"], ["i32"]),
    "grid": (["i32", "i32", "i32", "f64"], ["i32"]),
}
_WORDS = {
    TrapCode.OUT_OF_FUEL: "it used up its fuel",
    TrapCode.STACK_OVERFLOW: "its stack overflowed",
    TrapCode.MEMORY_OUT_OF_BOUNDS: "it reached outside its memory",
    TrapCode.UNREACHABLE: "it gave up (unreachable)",
    TrapCode.INTEGER_DIVISION_BY_ZERO: "it divided a whole number by zero",
    TrapCode.BAD_CONVERSION_TO_INTEGER: "it turned a number that does not fit into a whole one",
}


class ModuleFailed(UserMistake):
    """A module that trapped, ran out of what it may use, or said that it failed."""

    code = "module_failed"
    title = "The WebAssembly module failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a run has used."""

    fuel: int
    memory_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFile:
    """Which module it is."""

    name: str
    sha256: str


class Machine:
    """An instantiated module; each ``over_`` call hands numbers in and gives what became of them."""

    def __init__(
        self, store: Store, instance: Instance, params: ModuleParams, source: ModuleFile
    ) -> None:
        self._store, self._params, self._name = store, params, source.name
        self.source = source
        self._exports = instance.exports(store)
        memory = self._exports.get("memory")
        if not isinstance(memory, Memory):
            raise self._wrong("it exports no memory", "export its memory under the name memory")
        self._memory = memory
        self._configure(params.parameters)

    @property
    def spent(self) -> Spent:
        """Give what it has used so far."""
        return Spent(
            fuel=self._params.fuel - self._store.get_fuel(),
            memory_mib=self._memory.data_len(self._store) / _MIB,
        )

    def over_columns(self, columns: Sequence[Floats]) -> list[Floats]:
        """Run ``columns`` over k arrays of n numbers each; NaN is missing."""
        rows = len(columns[0])
        block = np.concatenate(columns).astype("<f8", copy=False)
        changed = self._over("columns", block, (rows, len(columns)))
        return [changed[k * rows : (k + 1) * rows] for k in range(len(columns))]

    def over_grid(self, values: Floats, cell_size_m: float) -> Floats:
        """Run ``grid`` over (n, m) numbers, row 0 the southernmost; NaN is no data."""
        block = np.ascontiguousarray(values, dtype="<f8").reshape(-1)
        changed = self._over("grid", block, (*values.shape, float(cell_size_m)))
        return changed.reshape(values.shape)

    def _configure(self, parameters: tuple[float, ...]) -> None:
        if "configure" not in self._exports:
            if parameters:
                raise self._wrong(
                    f"it takes no parameters and {len(parameters)} are given",
                    "leave parameters out, or export configure(address, count)",
                )
            return
        block = np.asarray(parameters, dtype="<f8")
        self._call("configure", self._put(block), len(block))

    def _over(self, name: str, block: Floats, shape: tuple[float, ...]) -> Floats:
        address = self._put(block)
        self._call(name, address, *shape)
        return self._view(address, block.nbytes).astype(np.float64)

    def _put(self, block: Floats) -> int:
        size = block.nbytes
        if size >= _MOST_BYTES or size > self._params.memory_mib * _MIB:
            raise ModuleFailed(
                f"{size / _MIB:,.0f} MiB of numbers do not fit into the module's memory of "
                f"{self._params.memory_mib} MiB",
                hint="raise memory_mib (4096 at most), or give fewer columns",
                where=Where(file=self._name),
            )
        address = self._invoke("alloc", size) & (_MOST_BYTES - 1)
        if size and address == 0:
            raise self._out_of_memory(size)
        if address % _NUMBER_BYTES or address + size > self._memory.data_len(self._store):
            raise self._wrong(
                f"alloc({size}) gave the address {address}, which is not a place for them",
                "give an address that is a multiple of 8 with that many bytes behind it, or 0",
            )
        self._view(address, size)[:] = block
        return address

    def _view(self, address: int, size: int) -> Floats:
        """Look into its memory; a view holds until the next call."""
        if size == 0:
            return np.empty(0)
        raw = self._memory.get_buffer_ptr(self._store, size, address)
        return np.frombuffer(memoryview(raw), dtype=np.float64)

    def _call(self, name: str, *arguments: float) -> None:
        status = self._invoke(name, *arguments)
        if status != 0:
            raise ModuleFailed(
                f"its function {name} answered {status} instead of 0",
                hint="see what the module means by that number",
                where=Where(file=self._name),
            )

    def _invoke(self, name: str, *arguments: float) -> int:
        function = self._function(name)
        try:
            return int(function(self._store, *map(_signed, arguments)))
        except Trap as trap:
            raise self._trapped(name, trap) from None
        except wasmtime.WasmtimeError as error:
            raise self._wrong(f"{name} failed ({_first_line(error)})", "mend the module") from None

    def _function(self, name: str) -> Callable[..., float]:
        function = self._exports.get(name)
        takes, gives = _SIGNATURES[name]
        said = f"{name}({', '.join(takes)}) -> {gives[0]}"
        if not isinstance(function, Func):
            known = [each for each in _SIGNATURES if each in self._exports]
            raise self._wrong(
                f"it exports no function {name} (it has {', '.join(known) or 'none of ours'})",
                f"export {said}",
            )
        kind = function.type(self._store)
        if [str(t) for t in kind.params] != takes or [str(t) for t in kind.results] != gives:
            raise self._wrong(f"its function {name} has another signature", f"make it {said}")
        return function

    def _trapped(self, name: str, trap: Trap) -> ModuleFailed:
        code = trap.trap_code
        what = _WORDS.get(code, _first_line(trap)) if code is not None else _first_line(trap)
        hints = {TrapCode.OUT_OF_FUEL: f"raise fuel above {self._params.fuel:,}, or do less"}
        return ModuleFailed(
            f"{what} in {name}",
            hint=hints.get(code, "mend the module") if code is not None else "mend the module",
            where=Where(file=self._name),
        )

    def _out_of_memory(self, size: int) -> ModuleFailed:
        return ModuleFailed(
            f"it has no room for {size:,} bytes within {self._params.memory_mib} MiB",
            hint="raise memory_mib (4096 at most)",
            where=Where(file=self._name),
        )

    def _wrong(self, detail: str, hint: str) -> ModuleFailed:
        return ModuleFailed(detail, hint=hint, where=Where(file=self._name))


def load_machine(path: Path, params: ModuleParams) -> Machine:
    """Compile and instantiate a module.

    Raises
    ------
    UnreadableInput
        If the file is no WebAssembly module, or a damaged one.
    BadParameter
        If the module wants imports, or more than it may have.
    ModuleFailed
        If it fails while it starts, or lacks an export.
    """
    where = Where(file=path.name)
    engine, content = _engine(), _read(path, where)
    source = ModuleFile(name=path.name, sha256=hashlib.sha256(content).hexdigest())
    module = _compiled(engine, content, where)
    wanted = [f"{each.module}.{each.name}" for each in module.imports]
    if wanted:
        raise BadParameter(
            f"the module imports {', '.join(wanted[:_LISTED])}{', ...' if wanted[_LISTED:] else ''}",
            hint="build it without imports: no WASI, no JavaScript, only memory and functions of its own",
            where=where,
        )
    store = Store(engine)
    store.set_fuel(params.fuel)
    store.set_limits(
        memory_size=params.memory_mib * _MIB,
        table_elements=_MOST_TABLE,
        instances=1,
        tables=4,
        memories=1,
    )
    try:
        instance = Instance(store, module, [])
    except (Trap, wasmtime.WasmtimeError) as error:
        raise ModuleFailed(
            f"it cannot be started ({_first_line(error)})",
            hint=f"let it begin with less memory than {params.memory_mib} MiB, or raise memory_mib",
            where=where,
        ) from None
    return Machine(store, instance, params, source)


def _engine() -> Engine:
    """Give an engine whose answers depend on nothing but the module and the numbers."""
    config = Config()
    config.consume_fuel = True
    config.max_wasm_stack = _STACK_BYTES
    config.wasm_threads = False
    config.wasm_relaxed_simd_deterministic = True
    config.parallel_compilation = False  # a VM has few processes to give
    ffi.wasmtime_config_cranelift_nan_canonicalization_set(config.ptr(), True)
    return Engine(config)


def _read(path: Path, where: Where) -> bytes:
    size = path.stat().st_size
    if size > MOST_MODULE_BYTES:
        raise UnreadableInput(
            f"the module has {size:,} bytes",
            hint=f"give at most {MOST_MODULE_BYTES:,}: build it for size, without debug sections",
            where=where,
        )
    content = path.read_bytes()
    if not content.startswith(_MAGIC):
        raise UnreadableInput(
            "it is not a WebAssembly module", hint="give a compiled .wasm file", where=where
        )
    return content


def _compiled(engine: Engine, content: bytes, where: Where) -> Module:
    try:
        return Module(engine, content)
    except wasmtime.WasmtimeError as error:
        raise UnreadableInput(
            f"the module is damaged or uses features that are not allowed ({_first_line(error)})",
            hint="build it again for plain wasm32, without threads",
            where=where,
        ) from None


def _first_line(error: Exception) -> str:
    """Give the end of wasmtime's chain of causes, which says most, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    causes = [line.split(": ", 1)[-1] for line in lines if line[:1].isdigit()]
    return (causes[-1] if causes else next(iter(lines), "no reason given"))[:_SHOWN]


def _signed(value: float) -> float:
    """Give an address or a size as WebAssembly's 32-bit integers hold it."""
    return value - _MOST_BYTES if isinstance(value, int) and value >= _MOST_BYTES // 2 else value
