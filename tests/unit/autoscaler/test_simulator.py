"""Loads that are replayed: what is read, what is counted, and that the provider's failures are borne."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.policies import worker_policy
from quetzalcore.autoscaler.pool import Pool
from quetzalcore.autoscaler.prices import read_prices
from quetzalcore.autoscaler.schedules import parse_schedule
from quetzalcore.autoscaler.simulation_report import Summary, document, draw, summarise
from quetzalcore.autoscaler.simulator import Replay, Supply, simulate
from quetzalcore.autoscaler.traces import MADE_UP, Trace, made_up, read_trace
from quetzalcore.cli.autoscale import app
from quetzalcore.errors import BadParameter, QuetzalError
from quetzalcore.settings import Settings

SHAPE = Shape(name="eight", cpus=8, memory_mib=16384, hourly_price=3.6)
PROMPT = Supply(ready_after_s=30.0, ready_spread=0.0, look_every_s=10.0)


def replayed(trace: Trace, supply: Supply = PROMPT, **values: object) -> tuple[Replay, Summary]:
    policy = worker_policy(**values)  # type: ignore[arg-type]
    replay = simulate(trace, policy, (SHAPE,), supply, np.random.default_rng(1))
    return replay, summarise(replay, policy, (SHAPE,))


def csv(*rows: str, header: str = "submitted_s,duration_s,cpus,memory_mib,count") -> Trace:
    return read_trace("\n".join([header, *rows]), source="load.csv")


def test_waiting_times_of_a_queue_at_one_worker_are_exact() -> None:
    replay, told = replayed(csv("0,100,8,512,3"), most=1)
    assert replay.wait_s.tolist() == [0.0, 100.0, 200.0]
    assert (told.wait_mean_s, told.wait_max_s) == (100.0, 200.0)
    assert told.launched == 1
    assert told.cost == pytest.approx(replay.ends_s / 3600.0 * 3.6)
    assert told.utilisation == pytest.approx(300.0 / replay.ends_s)


def test_jobs_share_a_worker_by_cores_and_by_memory() -> None:
    by_cores, _ = replayed(csv("0,100,4,512,3"), most=1)
    assert by_cores.wait_s.tolist() == [0.0, 0.0, 100.0]
    by_memory, _ = replayed(csv("0,100,1,8192,3"), most=1)
    assert by_memory.wait_s.tolist() == [0.0, 0.0, 100.0]


def test_a_burst_grows_the_set_after_the_providers_delay_and_it_comes_back() -> None:
    replay, told = replayed(csv("5,100,8,512,50"))
    first, last = replay.decisions[0], replay.decisions[-1]
    assert first.up
    assert first.at_s == 10.0
    assert first.reason == (
        "49 jobs wait, more than 10 for 1 worker; 49 jobs wait and CPU is at 100 %, above 80 %: "
        "5 are added"
    )
    assert not last.up
    assert np.unique(replay.wait_s)[1] == 35.0  # asked for after 10 s, ready 30 s later
    assert replay.moments[-1].ready == 1
    assert told.unfinished == 0
    assert told.launched - told.removed == 1


def test_the_same_seed_gives_the_same_replay() -> None:
    load = [made_up("bursty", jobs=500, hours=5, rng=np.random.default_rng(3)) for _ in range(2)]
    rough = Supply(refused=0.2, never_ready=0.1)
    first, second = (replayed(trace, rough) for trace in load)
    assert first[1] == second[1]
    assert np.array_equal(first[0].wait_s, second[0].wait_s)


@pytest.mark.parametrize("name", list(MADE_UP))
@pytest.mark.parametrize("forecast", [False, True])
def test_every_load_is_done_within_bounds_and_without_a_hasty_turn(
    name: str, *, forecast: bool
) -> None:
    trace = made_up(name, jobs=900, hours=8, rng=np.random.default_rng(1))
    shapes = read_prices().shapes
    policy = worker_policy(most=12, use_forecast=forecast)
    rough = Supply(refused=0.1, never_ready=0.05)
    replay = simulate(trace, policy, shapes, rough, np.random.default_rng(2))
    told = summarise(replay, policy, shapes)
    assert told.unfinished == 0
    assert told.hasty_turns == 0
    assert 1 < told.peak_workers <= 12
    assert all(m.ready + m.starting <= 12 for m in replay.moments)
    assert replay.busy_core_s <= replay.core_s
    assert replay.launched - replay.removed == replay.moments[-1].ready


def test_machines_that_are_refused_or_never_come_are_counted_and_replaced() -> None:
    rough = Supply(refused=0.5, never_ready=0.5, replaced_after_s=100.0)
    _, told = replayed(csv("0,400,8,512,200"), rough)
    assert told.unfinished == 0
    assert told.refused > 0
    assert told.given_up > 0


def test_a_schedule_takes_workers_that_are_busy_and_they_finish_first() -> None:
    schedules = (parse_schedule("workers mon 00:30-24:00 1-1")[1],)
    replay, told = replayed(csv("0,3000,8,512,40"), most=4, schedules=schedules)
    assert told.unfinished == 0
    assert max(m.draining for m in replay.moments) > 0
    assert replay.moments[-1].ready == 1


def test_a_provider_that_gives_nothing_ends_the_replay() -> None:
    policy = worker_policy(least=0, default_shape="eight")
    never = Supply(never_ready=1.0, look_every_s=3000.0, replaced_after_s=3000.0)
    replay = simulate(csv("0,10,1,512,1"), policy, (SHAPE,), never, np.random.default_rng(1))
    told = summarise(replay, policy, (SHAPE,))
    assert told.unfinished == 1
    assert told.given_up > 0


def test_a_job_after_days_of_nothing_is_served() -> None:
    _, told = replayed(csv("0,10,1,512,1", "400000,10,1,512,1"), least=0)
    assert told.unfinished == 0


def test_without_a_shape_there_is_nothing_to_simulate() -> None:
    with pytest.raises(BadParameter, match="no shape"):
        simulate(csv("0,1,1,1,1"), worker_policy(), (), PROMPT, np.random.default_rng(1))


def test_a_job_that_no_shape_holds_is_told_apart() -> None:
    _, told = replayed(csv("0,10,1,512,2", "0,10,64,512,1"))
    assert (told.jobs, told.infeasible) == (2, 1)


def test_many_sizes_are_rounded_up() -> None:
    rows = [f"{n},10,{1 + n / 100},{512 + n},1" for n in range(100)]
    replay, told = replayed(csv(*rows))
    assert told.unfinished == 0
    assert replay.busy_core_s == 10.0 * (1 + 99 * 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2", "submitted_s and duration_s are missing"),
        ("", "submitted_s and duration_s are missing"),
        ("submitted_s,duration_s\n", "it has 0 jobs"),
        ("submitted_s,duration_s\n1,2\n3,-4", "row 3: duration_s is '-4'"),
        ("submitted_s,duration_s,cores\n1,2,3", "row 2: there is no key cores"),
        ("submitted_s,duration_s\n1,2,3", "row 2 has more cells"),
        ("submitted_s,duration_s,count\n1,2,5000000\n1,2,1", "it has 5000001 jobs"),
    ],
)
def test_a_load_that_cannot_be_read_says_where(text: str, words: str) -> None:
    with pytest.raises(BadParameter) as refused:
        read_trace(text, source="load.csv")
    assert words in str(refused.value)


def test_a_made_up_load_has_so_many_jobs_in_order() -> None:
    for name in MADE_UP:
        trace = made_up(name, jobs=1000, hours=10, rng=np.random.default_rng(1))
        assert trace.submitted_s.size == 1000
        assert (np.diff(trace.submitted_s) >= 0).all()
        assert (trace.duration_s > 0).all()
    with pytest.raises(BadParameter, match="choose from bursty"):
        made_up("calm", jobs=1, hours=1, rng=np.random.default_rng(1))
    with pytest.raises(BadParameter, match="0 jobs"):
        made_up("bursty", jobs=0, hours=1, rng=np.random.default_rng(1))


def test_the_pool_finds_what_a_search_of_all_finds() -> None:
    rng = random.Random(1)  # noqa: S311 -- the same search every time
    pool, rooms = Pool(), dict[int, tuple[int, int, int]]()
    for worker in range(60):
        rooms[worker] = (rng.randrange(3), rng.randrange(9), rng.randrange(9))
        pool.put(worker, rooms[worker])
    for _ in range(500):
        asked = (rng.randrange(3), rng.randrange(9), rng.randrange(9))
        fitting = [r for r in rooms.values() if all(a <= b for a, b in zip(asked, r, strict=True))]
        found = pool.take(asked)
        if found is None:
            assert not fitting
            continue
        assert rooms[found] == min(fitting)
        rooms[found] = (rng.randrange(3), rng.randrange(9), rng.randrange(9))
        pool.put(found, rooms[found])


def test_a_picture_is_the_same_every_time() -> None:
    replay, told = replayed(csv("5,100,8,512,50"))
    drawn = draw({"policy": replay}, title="load")
    assert drawn == draw({"policy": replay}, title="load")
    assert drawn.startswith(b"<?xml")
    assert draw({"a": replay, "b": replay}, title="load", suffix="png").startswith(b"\x89PNG")
    json.dumps(document(told, replay), allow_nan=False)


def run(*arguments: str, settings: Settings | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), obj=settings or Settings())
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_the_command_prints_figures_and_writes_the_curve(tmp_path: Path) -> None:
    load = tmp_path / "load.csv"
    load.write_text("submitted_s,duration_s,cpus,count\n5,100,8,50\n")
    output = tmp_path / "out"
    code, said = run(
        "simulate", str(load), "--compare", "--policy", "most=4", "--output", str(output), "--json"
    )
    assert code == 0
    told = json.loads(said)
    assert set(told) == {"policy", "with forecast"}
    assert told["policy"]["peak_workers"] == 4
    assert (output / "load.svg").read_bytes().startswith(b"<?xml")
    kept = json.loads((output / "simulation.json").read_text())
    assert kept["policy"]["summary"] == told["policy"]
    code, said = run("simulate", "bursty", "--jobs", "200", "--hours", "4")
    assert code == 0
    assert "changes of direction" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.csv"], "one of bursty, diurnal, heavy-tailed"),
        (["bursty", "--policy", "most"], "most=100"),
        (["bursty", "--policy", "mots=3"], "mots"),
        (["bursty", "--refused", "1"], "--refused"),
        (["bursty", "--every", "0"], "--every"),
        (["bursty", "--picture", "gif"], "svg or png"),
        (["bursty", "--prices", "nowhere.toml"], "price list"),
        (["bursty", "--jobs", "10", "--output", "/proc/nowhere"], "folder"),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], words: str) -> None:
    with pytest.raises(QuetzalError, match=words):
        run("simulate", *arguments)
