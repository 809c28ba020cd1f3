"""``quetzal jobs`` and ``quetzal submit``: work for any server, from the command line."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quetzalcore.cli.connection import connect
from quetzalcore.cli.console import print_json, print_table, progress_bar, say
from quetzalcore.errors import BadParameter, Permanent, QuetzalError, Where

if TYPE_CHECKING:
    from quetzalcore.client import QuetzalClient
    from quetzalcore.client.models import InputRef, JobView, SubmitJob

__all__ = ["app", "follow", "submit"]

app = typer.Typer(help="List, watch, cancel and repeat jobs.", no_args_is_help=True)

_AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
_Id = Annotated[str, typer.Argument(metavar="ID", help="The job's id.")]


class JobFailed(Permanent):
    """A job that was waited for has failed."""

    code = "job_failed"
    title = "The job failed"


@app.command("list")
def list_jobs(
    context: typer.Context,
    *,
    state: Annotated[list[str] | None, typer.Option(help="Only these. Repeatable.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only this kind.")] = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.")] = 20,
    as_json: _AsJson = False,
) -> None:
    """List jobs, newest first.

    Example: quetzal jobs list --state running
    """
    with connect(context.obj) as client:
        page = client.list_jobs(state=state, kind=kind, limit=limit)
    if as_json:
        print_json(page)
        return
    rows = [
        [job["id"], job["kind"], job["state"], job["submitted_at"][:16], _how(job)]
        for job in page["items"]
    ]
    print_table("Jobs", ["id", "kind", "state", "submitted (UTC)", ""], rows)


@app.command("show")
def show(context: typer.Context, job_id: _Id, *, as_json: _AsJson = False) -> None:
    """Show one job: its attempts, what they used, its files.

    Example: quetzal jobs show 01k... --json
    """
    with connect(context.obj) as client:
        job = client.get_job(job_id)
    if as_json:
        print_json(job)
        return
    say(f"{job['kind']} {job['id']}: {job['state']}{' (cached)' if job['cached'] else ''}")
    if job["error"]:
        say(_sentence(job["error"]))
    rows = [
        [a["node"], a["state"], a["started_at"][:19], _used(a["resources"]["used"])]
        for a in job["attempts"]
    ]
    print_table("Attempts", ["node", "state", "started (UTC)", "used"], rows)
    files = [[f["name"], f"{f['size']:,}", f["media_type"]] for f in job["artifacts"]]
    print_table("Files", ["name", "bytes", "type"], files)


@app.command("logs")
def logs(
    context: typer.Context,
    job_id: _Id,
    *,
    follow_it: Annotated[bool, typer.Option("-f", "--follow", help="Until it has ended.")] = False,
) -> None:
    """Print what a job wrote.

    Example: quetzal jobs logs 01k... -f
    """
    with connect(context.obj) as client:
        if follow_it:
            for event in client.events(job_id):
                if event.type == "log":
                    say(str(event.data["text"]))
            return
        after: int | None = None
        while True:
            page = client.get_job_logs(job_id, after=after)
            for line in page["items"]:
                say(line["text"])
            if not page["items"]:
                return
            after = page["next_after"]


@app.command("cancel")
def cancel(context: typer.Context, job_id: _Id) -> None:
    """Cancel a job; its VM is killed.

    Example: quetzal jobs cancel 01k...
    """
    with connect(context.obj) as client:
        say(client.cancel_job(job_id)["state"])


@app.command("retry")
def retry(
    context: typer.Context,
    job_id: _Id,
    *,
    stage: Annotated[str, typer.Option(help="Begin from this stage.")] = "",
) -> None:
    """Run a job again.

    Example: quetzal jobs retry 01k... --stage targets
    """
    with connect(context.obj) as client:
        say(client.retry_job(job_id, {"stage": stage})["state"])


def submit(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="The job kind, for example mag_survey.")],
    files: Annotated[list[Path] | None, typer.Argument(help="Files that it reads.")] = None,
    *,
    param: Annotated[
        list[str] | None, typer.Option("-p", "--param", metavar="NAME=JSON", help="Repeatable.")
    ] = None,
    params: Annotated[Path | None, typer.Option(help="All parameters, as a JSON file.")] = None,
    priority: Annotated[int, typer.Option(help="Higher runs first.")] = 0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Wait, and put the products here.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the result.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
    as_json: _AsJson = False,
) -> None:
    """Send files, submit a job, and with --wait or -o watch it to its end.

    Example: quetzal submit mag_survey survey.csv -p input.date=2024-05-14 -o products
    """
    with connect(context.obj) as client:
        body: SubmitJob = {
            "kind": kind,
            "params": _params(params, param or ()),
            "inputs": _upload(client, files or (), quiet=quiet),
            "priority": priority,
        }
        job = client.submit_job(body, idempotency_key=secrets.token_hex(16))
        if wait or output is not None:
            job = follow(client, job["id"], quiet=quiet)
        if output is not None:
            client.download(job, output)
    if as_json:
        print_json(job)
    elif output is not None:
        say(f"{len(job['artifacts'])} files in {output}")
    elif wait:
        print_json(job["result"] or {})
    else:
        say(job["id"])


def follow(client: QuetzalClient, job_id: str, *, quiet: bool) -> JobView:
    """Show a job's progress until it has ended, and give it.

    Raises
    ------
    JobFailed
        In the server's words.
    """
    with progress_bar(wanted=not quiet) as advance:
        for event in client.events(job_id):
            if event.type == "progress":
                advance(**{name: event.data[name] for name in ("stage", "fraction", "message")})
    job = client.get_job(job_id)
    if job["state"] != "succeeded":
        raise _failure(job)
    return job


def _failure(job: JobView) -> QuetzalError:
    error = job["error"]
    if error is None:
        return JobFailed(f"job {job['id']} was {job['state']}", hint="submit it again")
    return JobFailed(
        error["detail"], hint=error["hint"], where=Where(file=f"job {job['id']} ({job['kind']})")
    )


def _upload(client: QuetzalClient, files: Sequence[Path], *, quiet: bool) -> list[InputRef]:
    with progress_bar(wanted=not quiet) as advance:
        return [
            {
                "upload_id": client.upload(
                    path,
                    advanced=lambda done, size, name=path.name: advance(  # type: ignore[misc]  # bound early
                        f"upload {name}", done / max(size, 1)
                    ),
                )["id"]
            }
            for path in files
        ]


def _params(file: Path | None, given: Sequence[str]) -> dict[str, Any]:
    """Read the parameter file and lay the single ones over it; a dot in a name goes one level down.

    Raises
    ------
    BadParameter
        If the file is not a JSON object, or a parameter is not NAME=JSON.
    """
    merged = _read(file) if file else {}
    for text in given:
        name, sign, value = text.partition("=")
        if not (name and sign):
            raise BadParameter(f"--param is {text!r}", hint="write it as NAME=JSON")
        at = merged
        *above, last = name.split(".")
        for part in above:
            at = at.setdefault(part, {})
        at[last] = _json_or_text(value)
    return merged


def _read(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadParameter(
            f"the parameters cannot be read ({error})",
            hint="give a JSON file",
            where=Where(file=str(file)),
        ) from None
    if not isinstance(values, dict):
        raise BadParameter(
            "the parameters are no JSON object",
            hint='write {"name": ...}',
            where=Where(file=str(file)),
        )
    return values


def _json_or_text(value: str) -> Any:  # noqa: ANN401 -- any JSON
    try:
        return json.loads(value)
    except ValueError:
        return value


def _how(job: Mapping[str, Any]) -> str:
    if job["error"]:
        return str(job["error"]["title"])
    if job["state"] == "running" and job["progress"]:
        return f"{job['progress']['stage']} {job['progress']['fraction']:.0%}"
    return "cached" if job["cached"] else ""


def _used(used: Mapping[str, Any] | None) -> str:
    if used is None:
        return ""
    return (
        f"{used['wall_s']:.1f} s, {used['cpu_s']:.1f} s of CPU, {used['peak_memory_mib']:,.0f} MiB, "
        f"{used['runtime']}"
    )


def _sentence(error: Mapping[str, Any]) -> str:
    return f"{error['title']}: {error['detail']}" + (f": {error['hint']}" if error["hint"] else "")
