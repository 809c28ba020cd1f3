"""``python -m benchmarks [NAME ...]``: run the races and print one table, worst first."""

from __future__ import annotations

import importlib
import pkgutil
import platform
import sys

import benchmarks
from benchmarks.race import Figure

_NOT_RACES = {"__main__", "own_platform", "race"}


def main(names: list[str]) -> int:
    """Run the named races (default: all) and return 1 if any bar was missed."""
    known = [m.name for m in pkgutil.iter_modules(benchmarks.__path__) if m.name not in _NOT_RACES]
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f"no such race: {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    print(f"Python {platform.python_version()}, {platform.machine()}, {platform.processor()}")
    figures: list[Figure] = []
    for name in names or known:
        print(f"racing: {name}", file=sys.stderr)
        figures += importlib.import_module(f"benchmarks.{name}").figures()
    print_table(figures)
    return 0 if all(figure.met for figure in figures) else 1


def print_table(figures: list[Figure]) -> None:
    """Print a Markdown table: missed bars first, then by ratio, smallest first."""
    ordered = sorted(figures, key=lambda f: (f.met, f.ratio if f.ratio is not None else 0.0))
    print("\n| work | QuetzalCore | peer | ratio | bar | met |\n|---|---|---|---|---|---|")
    for f in ordered:
        ratio = "" if f.ratio is None else f"{f.ratio:.1f}x"
        peer = f"{f.peer_name}: {f.peer}" if f.peer_name else f.peer
        print(
            f"| {f.work} | {f.ours} | {peer} | {ratio} | {f.bar} | {'yes' if f.met else '**no**'} |"
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
