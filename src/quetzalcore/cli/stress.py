"""``quetzal stress``: a load test with a verdict against the targets."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import quetzalcore
from quetzalcore.cli.clock import now
from quetzalcore.cli.connection import address_and_key
from quetzalcore.cli.console import note, print_json, print_table, progress_bar, say, warn
from quetzalcore.cli.host_files import HostFiles
from quetzalcore.errors import BadOutput, BadParameter, QuetzalError, Where
from quetzalcore.ops.stress.plan import Action, LoadPlan, Scenario, weights
from quetzalcore.settings import Settings, with_options

if TYPE_CHECKING:
    from quetzalcore.client import QuetzalClient
    from quetzalcore.client.models import SystemView
    from quetzalcore.ops.stress.report import StressReport

__all__ = ["stress"]

_JOBS = 10
_FORBIDDEN, _CONFLICT, _NOT_FOUND = 403, 409, 404
_ELSEWHERE = range(300, 400)
_SILENT_S = 6.0  # the balancer takes an instance that says nothing for so long for dead


@dataclass(frozen=True, slots=True, kw_only=True)
class _Whom:
    """Who is asked, and what is shown there."""

    url: str
    key: str = field(repr=False)
    exempt: str = field(default="", repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        exempt = {"X-Balancer-Exempt": self.exempt} if self.exempt else {}
        return {"Authorization": f"Bearer {self.key}", "User-Agent": "quetzal-stress", **exempt}


@dataclass(slots=True, kw_only=True)
class _Ground:
    """What was found and made on the platform before the load."""

    serving: int | None = None
    jobs: list[str] = field(default_factory=list)


def stress(
    context: typer.Context,
    *,
    users: Annotated[int, typer.Option(help="How many ask at once.")] = 50,
    duration: Annotated[int, typer.Option(metavar="S", help="Seconds with all of them.")] = 60,
    ramp_up: Annotated[
        int, typer.Option(metavar="S", help="Seconds in which they come; not judged.")
    ] = 10,
    scenario: Annotated[
        Scenario, typer.Option(help="What they do; upload sends a small survey.")
    ] = Scenario.MIXED,
    url: Annotated[
        str | None, typer.Option(help="Who is asked; default: the platform of this host.")
    ] = None,
    exempt_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The balancer's secret; default: this host's, for itself."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for report.html and report.json.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Put a platform under load and say whether it holds its targets: exit code 0 if it does, 1 if not.

    Example: quetzal stress --users 100 --duration 120 --output stress
    """
    whom = _whom(context.obj, url, exempt_file)
    plan = LoadPlan(
        url=whom.url, scenario=scenario, users=users, duration_s=duration, ramp_up_s=ramp_up
    )
    if importlib.util.find_spec("locust") is None:
        raise BadParameter("locust is not installed", hint="pip install 'quetzalcore[stress]'")
    if output is not None:
        _make(output)
    report, stopped = _measured(plan, whom, wants_bar=not as_json)
    if output is not None:
        _write(report, output)
    if as_json:
        print_json(report.document())
    else:
        _print(report)
    if stopped or report.verdict.outcome != "met":
        raise typer.Exit(1)


def _whom(settings: Settings, url: str | None, exempt_file: Path | None) -> _Whom:
    """Find out whom to ask; what this host keeps goes to its own platform only."""
    files = HostFiles.of(settings)
    if url is not None and not url.startswith(("http://", "https://")):
        raise BadParameter(f"--url is {url!r}", hint="write it like https://survey.example.org")
    running = files.running()
    own = url is not None and running is not None and url.rstrip("/") == running.url
    chosen = with_options(settings, url="" if own else url and url.rstrip("/"))
    address, key = address_and_key(chosen)
    kept = files.root / "balancer-exempt"
    if exempt_file is None and not chosen.url and kept.is_file():
        exempt_file = kept
    try:
        exempt = "" if exempt_file is None else exempt_file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise BadParameter(
            "the balancer's secret cannot be read",
            hint="give the file balancer-exempt of its data folder",
            where=Where(file=str(exempt_file)),
        ) from None
    return _Whom(url=address.rstrip("/"), key=key, exempt=exempt)


def _measured(plan: LoadPlan, whom: _Whom, *, wants_bar: bool) -> tuple[StressReport, str]:
    from quetzalcore.ops.stress.figures import figures_of  # noqa: PLC0415 -- only here
    from quetzalcore.ops.stress.report import StressReport  # noqa: PLC0415 -- heavy
    from quetzalcore.ops.stress.running import Users, run_load  # noqa: PLC0415 -- only here
    from quetzalcore.ops.stress.verdict import Targets, judge  # noqa: PLC0415 -- only here

    with _prepared(plan, whom) as ground, progress_bar(wanted=wants_bar) as bar:
        chosen = weights(plan.scenario, system=ground.serving is not None)
        began_at = now()
        record = run_load(
            plan,
            Users(weights=chosen, headers=whom.headers, jobs=tuple(ground.jobs)),
            environment=os.environ,
            advanced=lambda share: bar(f"{plan.users} users", share),
        )
        ground.jobs.extend(record.left_jobs)
    targets = Targets()
    figures = figures_of(record, plan)
    report = StressReport(
        plan=plan,
        weights=chosen,
        targets=targets,
        figures=figures,
        verdict=judge(figures, targets, serving=ground.serving, stopped=record.stopped),
        began_at=began_at,
        version=quetzalcore.__version__,
    )
    return report, record.stopped


@contextmanager
def _prepared(plan: LoadPlan, whom: _Whom) -> Iterator[_Ground]:
    """See that the server answers and takes the key, make the jobs that are read, and cancel at the end what goes on."""
    from quetzalcore.client import QuetzalClient  # noqa: PLC0415 -- heavy

    ground = _Ground()
    with QuetzalClient(whom.url, whom.key) as client:
        _knock(client)
        ground.serving = _serving(client)
        try:
            if Action.READ in weights(plan.scenario, system=True):
                for _ in range(_JOBS):
                    ground.jobs.append(client.submit_job({"kind": "noop"}, wait=0)["id"])
            yield ground
        finally:
            _cancel(client, ground.jobs)


def _knock(client: QuetzalClient) -> None:
    """See that a platform answers there and takes the key."""
    from quetzalcore.client.problems import ServerProblem  # noqa: PLC0415 -- heavy

    try:
        client.get_me()
    except ServerProblem as error:
        if error.status in _ELSEWHERE:
            raise BadParameter(
                f"{client.url} sends on to another address ({error.status})",
                hint="give that address by --url, like https://survey.example.org",
            ) from None
        if error.status == _NOT_FOUND:
            raise BadParameter(
                f"{client.url} is not the address of a QuetzalCore platform",
                hint="give its address by --url, without a path",
            ) from None
        raise


def _serving(client: QuetzalClient) -> int | None:
    """Ask how many instances there are; None where the key may not."""
    from quetzalcore.client.problems import ServerProblem  # noqa: PLC0415 -- heavy

    try:
        system = client.system()
    except ServerProblem as error:
        if error.status != _FORBIDDEN:
            raise
        return None
    return _alive(system)


def _alive(system: SystemView) -> int:
    """Count the instances that lately said that they serve; one that is in no book serves too."""
    import datetime as dt  # noqa: PLC0415 -- only here

    seen = [(dt.datetime.fromisoformat(each["seen_at"]), each) for each in system["instances"]]
    newest = max((at for at, _each in seen), default=now())
    alive = [
        each
        for at, each in seen
        if not each["draining"] and (newest - at).total_seconds() <= _SILENT_S
    ]
    return max(1, len(alive))


def _cancel(client: QuetzalClient, jobs: Sequence[str]) -> None:
    """Cancel the jobs that have not ended, as far as the server lets us."""
    from quetzalcore.client.problems import ServerProblem  # noqa: PLC0415 -- heavy

    for place, job_id in enumerate(jobs):
        try:
            client.cancel_job(job_id)
        except QuetzalError as error:
            if isinstance(error, ServerProblem) and error.status in {_CONFLICT, _NOT_FOUND}:
                continue
            warn(f"{len(jobs) - place} jobs that were made may still run: {error.detail}")
            return


def _make(folder: Path) -> None:
    """Make the folder before the load, not after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from None


def _write(report: StressReport, folder: Path) -> None:
    told = json.dumps(report.document(), indent=1, ensure_ascii=False, allow_nan=False)
    try:
        (folder / "report.html").write_text(report.page(), encoding="utf-8", newline="\n")
        (folder / "report.json").write_text(told + "\n", encoding="utf-8")
    except OSError as error:
        raise _unwritable(folder, error) from None
    note(f"Written: {folder / 'report.html'}, {folder / 'report.json'}")


def _unwritable(folder: Path, error: OSError) -> BadOutput:
    return BadOutput(
        f"the report cannot be written ({error.strerror})",
        hint="give a folder that you may write to",
        where=Where(file=str(folder)),
    )


def _print(report: StressReport) -> None:
    figures = report.figures
    say(
        f"{figures.requests:,} requests to {report.plan.url} in {figures.seconds:.0f} s by {figures.users} users:"
        f" {figures.per_s:,.0f} a second went well, {figures.errors:,} did not."
    )
    words: dict[Any, str] = {True: "met", False: "not met", None: "not judged"}
    rows = [
        [each.target, each.wanted, each.found, words[each.met]] for each in report.verdict.targets
    ]
    print_table("Targets", ["", "wanted", "found", ""], rows)
    print_table(
        "Routes (ms)",
        ["route", "requests", "errors", "mean", "p95", "p99"],
        [
            [
                each.route, f"{each.requests:,}", f"{each.errors:,}", f"{each.mean_ms:,.1f}",
                f"{each.p95_ms:,.1f}", f"{each.p99_ms:,.1f}",
            ]
            for each in figures.routes
        ],
    )  # fmt: skip
    for what, count in figures.outcomes.items():
        say(f"Errors: {count:,} of {what}.")
    for line in report.verdict.notes:
        say(line)
    say(report.words)
