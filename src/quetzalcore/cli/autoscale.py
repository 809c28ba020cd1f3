"""``quetzal autoscale simulate``: the scaling policy on a recorded or made-up load."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quetzalcore.cli.console import note, print_json, print_table, say
from quetzalcore.errors import BadOutput, BadParameter, Where
from quetzalcore.settings import Settings

if TYPE_CHECKING:
    from quetzalcore.autoscaler.model import Policy
    from quetzalcore.autoscaler.prices import PriceList
    from quetzalcore.autoscaler.simulation_report import Summary
    from quetzalcore.autoscaler.simulator import Replay
    from quetzalcore.autoscaler.traces import Trace

__all__ = ["app"]

app = typer.Typer(help="How workers and instances scale.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Keep ``simulate`` a sub-command while it is the only one."""


@app.command()
def simulate(
    context: typer.Context,
    trace: Annotated[
        str,
        typer.Argument(
            help="A CSV of submitted_s, duration_s[, cpus, memory_mib, vgpus, spot, count], "
            "or bursty, diurnal or heavy-tailed."
        ),
    ],
    *,
    jobs: Annotated[int, typer.Option(help="Jobs of a made-up load.")] = 20_000,
    hours: Annotated[float, typer.Option(help="Its length.")] = 48.0,
    seed: Annotated[int, typer.Option(help="Of the made-up load and the provider.")] = 1,
    policy: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Of the policy, like most=100. Repeatable."),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="The policy without and with its forecast.")
    ] = False,
    ready_after: Annotated[
        float, typer.Option(metavar="S", help="Mean time until a new machine takes jobs.")
    ] = 60.0,
    refused: Annotated[
        float, typer.Option(metavar="P", help="Chance that the provider has no machine.")
    ] = 0.0,
    never_ready: Annotated[
        float, typer.Option(metavar="P", help="Chance that a machine never becomes ready.")
    ] = 0.0,
    every: Annotated[float, typer.Option(metavar="S", help="How often the policy looks.")] = 10.0,
    season: Annotated[
        float, typer.Option(metavar="S", help="The forecast's season; 0 for none.")
    ] = 0.0,
    prices: Annotated[Path | None, typer.Option(help="Shapes and prices (TOML).")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for curve and figures.")
    ] = None,
    picture: Annotated[str, typer.Option(metavar="svg|png", help="How it is drawn.")] = "svg",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Replay a load against the policy that the platform runs, and say what it waits, costs and stirs up.

    Example: quetzal autoscale simulate bursty --policy most=20 --compare -o simulated
    """
    import numpy as np  # noqa: PLC0415 -- heavy

    from quetzalcore.autoscaler import simulation_report as reports  # noqa: PLC0415 -- heavy
    from quetzalcore.autoscaler import simulator  # noqa: PLC0415 -- heavy

    if picture not in {"svg", "png"}:
        raise BadParameter(f"--picture is {picture!r}", hint="choose svg or png")
    settings: Settings = context.obj
    supply = simulator.Supply(
        ready_after_s=_above(ready_after, "--ready-after"),
        refused=_chance(refused, "--refused"),
        never_ready=_chance(never_ready, "--never-ready"),
        look_every_s=_above(every, "--every"),
        season_s=max(0.0, season),
    )
    listed = _prices(prices or settings.prices_file)
    load = _trace(trace, jobs=jobs, hours=hours, seed=seed)
    replays: dict[str, Replay] = {}
    summaries: dict[str, Summary] = {}
    for name, held in _policies(settings, policy or [], compare=compare).items():
        begins = time.perf_counter()
        replay = simulator.simulate(
            load, held, listed.shapes, supply, np.random.default_rng(seed + 1)
        )
        replays[name] = replay
        summaries[name] = reports.summarise(replay, held, listed.shapes, listed.currency)
        note(f"{name}: {replay.wait_s.size:,} jobs in {time.perf_counter() - begins:.1f} s")
    documents = {name: reports.document(summaries[name], replays[name]) for name in replays}
    if output is not None:
        drawn = reports.draw(replays, title=_title(load), suffix=picture)
        _write(output, documents, drawn, f"{Path(load.name).stem}.{picture}")
    if as_json:
        print_json({name: asdict(summary) for name, summary in summaries.items()})
    else:
        _print(load, summaries, replays)


def _policies(settings: Settings, given: list[str], *, compare: bool) -> dict[str, Policy]:
    from quetzalcore.autoscaler.model import Target  # noqa: PLC0415 -- only here
    from quetzalcore.autoscaler.policies import from_settings, with_changes  # noqa: PLC0415

    changes: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise BadParameter(f"--policy is {text!r}", hint="write it like most=100")
        if key == "schedules":
            changes.setdefault(key, []).append(value)
        else:
            changes[key] = None if value == "none" else value
    policy = with_changes(from_settings(settings, Target.WORKERS), changes)
    if not compare:
        return {"forecast" if policy.use_forecast else "policy": policy}
    return {
        "policy": with_changes(policy, {"use_forecast": False}),
        "with forecast": with_changes(policy, {"use_forecast": True}),
    }


def _trace(name: str, *, jobs: int, hours: float, seed: int) -> Trace:
    import numpy as np  # noqa: PLC0415 -- heavy

    from quetzalcore.autoscaler.traces import MADE_UP, made_up, read_trace  # noqa: PLC0415 -- heavy

    if name in MADE_UP:
        return made_up(name, jobs=jobs, hours=hours, rng=np.random.default_rng(seed))
    hint = f"give an existing CSV file, or one of {', '.join(MADE_UP)}"
    return read_trace(_text(Path(name), "the load", hint), source=name)


def _prices(path: Path | None) -> PriceList:
    from quetzalcore.autoscaler.prices import read_prices  # noqa: PLC0415 -- only here

    if path is None:
        return read_prices()
    return read_prices(
        _text(path, "the price list", "give an existing TOML file"), source=str(path)
    )


def _text(path: Path, what: str, hint: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise BadParameter(
            f"{what} cannot be read", hint=hint, where=Where(file=str(path))
        ) from None


def _chance(value: float, option: str) -> float:
    if not 0.0 <= value < 1.0:
        raise BadParameter(f"{option} is {value:g}", hint="give a chance from 0 to below 1")
    return value


def _above(value: float, option: str) -> float:
    if not 0.0 < value < float("inf"):
        raise BadParameter(f"{option} is {value:g}", hint="give seconds above 0")
    return value


def _write(folder: Path, documents: Mapping[str, Any], drawn: bytes, name: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(drawn)
        told = json.dumps(documents, indent=1, allow_nan=False)
        (folder / "simulation.json").write_text(told + "\n", encoding="utf-8")
    except OSError as error:
        raise BadOutput(
            f"the results cannot be written ({error.strerror})",
            hint="give a folder that you may write to",
            where=Where(file=str(folder)),
        ) from None
    note(f"Written: {folder / name}, {folder / 'simulation.json'}")


def _title(load: Trace) -> str:
    return f"{Path(load.name).stem}: {load.submitted_s.size:,} jobs"


def _print(load: Trace, runs: Mapping[str, Summary], replays: Mapping[str, Replay]) -> None:
    print_table(
        _title(load),
        ["", *runs],
        [
            _row("wait, mean (s)", runs, lambda s: f"{s.wait_mean_s:,.0f}"),
            _row("wait, p50 (s)", runs, lambda s: f"{s.wait_p50_s:,.0f}"),
            _row("wait, p95 (s)", runs, lambda s: f"{s.wait_p95_s:,.0f}"),
            _row("wait, p99 (s)", runs, lambda s: f"{s.wait_p99_s:,.0f}"),
            _row("wait, longest (s)", runs, lambda s: f"{s.wait_max_s:,.0f}"),
            _row("cost", runs, lambda s: f"{s.cost:,.2f} {s.currency}"),
            _row("cost of the peak held throughout", runs, lambda s: f"{s.cost_of_peak:,.2f} {s.currency}"),
            _row("cores in use", runs, lambda s: f"{s.utilisation:.0%}"),
            _row("most workers", runs, lambda s: f"{s.peak_workers:,}"),
            _row("launched", runs, lambda s: f"{s.launched:,}"),
            _row("refused by the provider", runs, lambda s: f"{s.refused:,}"),
            _row("given up, never ready", runs, lambda s: f"{s.given_up:,}"),
            _row("removed", runs, lambda s: f"{s.removed:,}"),
            _row("changes of direction", runs, lambda s: f"{s.turns:,}"),
            _row("of them within a cooldown", runs, lambda s: f"{s.hasty_turns:,}"),
            _row("jobs left, fit no shape", runs, lambda s: f"{s.unfinished:,}, {s.infeasible:,}"),
        ],
    )  # fmt: skip
    for name, replay in replays.items():
        for taken in replay.decisions[:3]:
            say(f"{name}, after {taken.at_s:,.0f} s: {taken.reason}.")


def _row(name: str, runs: Mapping[str, Summary], told: Callable[[Summary], str]) -> list[str]:
    return [name, *(told(summary) for summary in runs.values())]
