"""Every way in which a module can be wrong or hostile, and what a right one does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wasmtime

from quetzalcore.errors import UserMistake
from quetzalcore.workloads.wasm.kind import ModuleParams
from quetzalcore.workloads.wasm.machine import Machine, load_machine

ALLOC = """
  (global $top (mut i32) (i32.const 1024))
  (func (export "alloc") (param $n i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $top))
    (global.set $top (i32.and (i32.add (i32.add (global.get $top) (local.get $n)) (i32.const 7)) (i32.const -8)))
    (if (i32.gt_u (global.get $top) (i32.mul (memory.size) (i32.const 65536)))
      (then (if (i32.eq (memory.grow
          (i32.add (i32.shr_u (i32.sub (global.get $top) (i32.mul (memory.size) (i32.const 65536))) (i32.const 16)) (i32.const 1)))
          (i32.const -1)) (then (return (i32.const 0))))))
    (local.get $at))
"""
MEMORY = '(memory (export "memory") 1)'
COLUMNS = '(func (export "columns") (param $p i32) (param i32) (param i32) (result i32)'


def wasm(folder: Path, body: str) -> Path:
    path = folder / "step.wasm"
    path.write_bytes(wasmtime.wat2wasm(f"(module {body})"))
    return path


def load(path: Path, **params: object) -> Machine:
    return load_machine(path, ModuleParams.model_validate({"module": path.name, **params}))


def run(folder: Path, body: str, values: list[float] | None = None, **params: object) -> np.ndarray:
    machine = load(wasm(folder, body), **params)
    return machine.over_columns([np.array([1.0, 2.0] if values is None else values)])[0]


def refuse(folder: Path, body: str, values: list[float] | None = None, **params: object) -> str:
    with pytest.raises(UserMistake) as caught:
        run(folder, body, values, **params)
    sentence = str(caught.value)
    assert "step.wasm" in sentence
    assert "\n" not in sentence
    assert len(sentence) < 500
    return sentence


def test_a_module_changes_its_numbers_in_place(tmp_path: Path) -> None:
    body = f"""{MEMORY}{ALLOC}{COLUMNS}
      (f64.store (local.get $p) (f64.mul (f64.load (local.get $p)) (f64.const 3))) (i32.const 0))"""
    assert run(tmp_path, body, [2.0, np.nan, -1.0]).tolist()[0] == 6.0
    again = run(tmp_path, body, [2.0, np.nan, -1.0])
    assert np.array_equal(again, [6.0, np.nan, -1.0], equal_nan=True)


def test_columns_stand_one_after_another(tmp_path: Path) -> None:
    body = f"""{MEMORY}{ALLOC}
      (func (export "columns") (param $p i32) (param $rows i32) (param $columns i32) (result i32)
        (f64.store (local.get $p) (f64.load (i32.add (local.get $p) (i32.mul (i32.const 8) (local.get $rows)))))
        (i32.sub (local.get $columns) (i32.const 2)))"""
    machine = load(wasm(tmp_path, body))
    first, second = machine.over_columns([np.array([1.0, 2.0, 3.0]), np.array([7.0, 8.0, 9.0])])
    assert first.tolist() == [7.0, 2.0, 3.0]
    assert second.tolist() == [7.0, 8.0, 9.0]


def test_a_grid_is_handed_in_from_the_south_with_its_cell_size(tmp_path: Path) -> None:
    body = f"""{MEMORY}{ALLOC}
      (func (export "grid") (param $p i32) (param $rows i32) (param $columns i32) (param $cell f64) (result i32)
        (f64.store (i32.add (local.get $p) (i32.mul (i32.const 8) (local.get $columns))) (local.get $cell))
        (i32.sub (local.get $rows) (i32.const 2)))"""
    made = load(wasm(tmp_path, body)).over_grid(np.arange(6.0).reshape(2, 3), 25.0)
    assert made.tolist() == [[0.0, 1.0, 2.0], [25.0, 4.0, 5.0]]


def test_parameters_are_handed_to_configure(tmp_path: Path) -> None:
    body = f"""{MEMORY}{ALLOC} (global $k (mut f64) (f64.const 0))
      (func (export "configure") (param $p i32) (param i32) (result i32)
        (global.set $k (f64.load (local.get $p))) (i32.const 0))
      {COLUMNS} (f64.store (local.get $p) (global.get $k)) (i32.const 0))"""
    assert run(tmp_path, body, parameters=[42.5]).tolist() == [42.5, 2.0]


def test_the_same_work_spends_the_same_fuel(tmp_path: Path) -> None:
    path = wasm(tmp_path, f"{MEMORY}{ALLOC}{COLUMNS} (i32.const 0))")
    spent = set()
    for _ in range(3):
        machine = load(path)
        machine.over_columns([np.zeros(100)])
        spent.add(machine.spent.fuel)
    assert len(spent) == 1
    assert 0 < spent.pop() < 1000


def test_memory_above_two_gigabytes_is_addressed_rightly(tmp_path: Path) -> None:
    body = f"""(memory (export "memory") 1)
      (func (export "alloc") (param $n i32) (result i32)
        (if (result i32) (i32.eq (memory.grow (i32.const 34000)) (i32.const -1))
          (then (i32.const 0)) (else (i32.const 0x80010000))))
      {COLUMNS} (f64.store (local.get $p) (f64.const 5)) (i32.const 0))"""
    assert run(tmp_path, body, memory_mib=4096).tolist() == [5.0, 2.0]


NO_MEMORY = ALLOC.replace("memory.size", "i32.const 1").replace("memory.grow", "i32.clz")
AT = '(func (export "alloc") (param i32) (result i32) (i32.const {}))'
LOOP = "(loop $again (br $again))"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (f"{MEMORY}{ALLOC}{COLUMNS} {LOOP} (i32.const 0))", "used up its fuel"),
        (f"{MEMORY}{ALLOC}{COLUMNS} unreachable)", "gave up"),
        (f"{MEMORY}{ALLOC}{COLUMNS} (i32.div_s (i32.const 1) (i32.const 0)))", "by zero"),
        (f"{MEMORY}{ALLOC}{COLUMNS} (drop (i32.load (i32.const -8))) (i32.const 0))", "outside"),
        (f"{MEMORY}{ALLOC}{COLUMNS} (i32.trunc_f64_s (f64.const nan)))", "does not fit"),
        (f"{MEMORY}{ALLOC}(func $f (call $f)){COLUMNS} (call $f) (i32.const 0))", "stack overflow"),
        (f"{MEMORY}{ALLOC}{COLUMNS} (i32.const 7))", "answered 7 instead of 0"),
        (f"{MEMORY}{ALLOC}", "exports no function columns"),
        (f"{MEMORY}{COLUMNS} (i32.const 0))", "exports no function alloc"),
        (f"{NO_MEMORY}{COLUMNS} (i32.const 0))", "exports no memory"),
        (f'{MEMORY}{ALLOC}(func (export "columns") (result i32) (i32.const 0))', "another signature"),
        (f"{MEMORY}{AT.format(0)}{COLUMNS} (i32.const 0))", "no room for 16 bytes"),
        (f"{MEMORY}{AT.format(65532)}{COLUMNS} (i32.const 0))", "not a place for them"),
        (f"{MEMORY}{AT.format(70000)}{COLUMNS} (i32.const 0))", "not a place for them"),
        (f'(import "wasi_snapshot_preview1" "fd_write" (func)){MEMORY}{ALLOC}',
         "imports wasi_snapshot_preview1.fd_write"),
        (f'(import "env" "memory" (memory 1)){ALLOC}', "imports env.memory"),
        (f"{MEMORY}{ALLOC}(func $s unreachable)(start $s)", "cannot be started"),
        (f"{MEMORY}{ALLOC}(func $s {LOOP})(start $s)", "cannot be started"),
        ('(memory (export "memory") 40000)', "cannot be started"),
        (f"{MEMORY}{ALLOC}(table 10000000 funcref)", "cannot be started"),
        ('(memory (export "memory") i64 1)', "exports no function alloc"),
    ],
)  # fmt: skip
def test_a_wrong_module_is_refused_in_one_sentence(tmp_path: Path, body: str, words: str) -> None:
    assert words in refuse(tmp_path, body, fuel=10_000_000)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a WebAssembly module"),
        (b"(module)", "not a WebAssembly module"),
        (b"\x7fELF" + bytes(100), "not a WebAssembly module"),
        (b"\x00asm\x01\x00\x00\x00" + b"\xff" * 50, "damaged"),
        (b"\x00asm\x0d\x00\x01\x00", "damaged"),
        (b"\x00asm" + bytes(17 << 20), "bytes: give at most"),
    ],
    ids=["empty", "text", "elf", "garbage", "component", "huge"],
)
def test_what_is_no_module_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "step.wasm"
    path.write_bytes(content)
    with pytest.raises(UserMistake, match=words):
        load(path)


def test_parameters_that_nobody_takes_are_refused(tmp_path: Path) -> None:
    body = f"{MEMORY}{ALLOC}{COLUMNS} (i32.const 0))"
    assert "takes no parameters and 2" in refuse(tmp_path, body, parameters=[1.0, 2.0])


def test_numbers_beyond_the_memory_limit_are_refused(tmp_path: Path) -> None:
    body = f"{MEMORY}{ALLOC}{COLUMNS} (i32.const 0))"
    many = [0.0] * 200_000
    assert "do not fit" in refuse(tmp_path, body, many, memory_mib=1)
    assert "no room for 1,048,000 bytes" in refuse(tmp_path, body, many[:131_000], memory_mib=1)


def test_a_module_that_grows_without_end_meets_its_limit_and_not_ours(tmp_path: Path) -> None:
    grow = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))"
    body = f"{MEMORY}{ALLOC}{COLUMNS} {grow} (i32.const 0))"
    machine = load(wasm(tmp_path, body), memory_mib=8)
    machine.over_columns([np.zeros(4)])
    assert machine.spent.memory_mib <= 8.0


def test_threads_are_not_allowed(tmp_path: Path) -> None:
    path = wasm(tmp_path, '(memory (export "memory") 1 2 shared)')
    with pytest.raises(UserMistake, match="not allowed"):
        load(path)
