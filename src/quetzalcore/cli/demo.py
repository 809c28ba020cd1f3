"""``quetzal demo``: a simulated survey through the whole platform, found beside true."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quetzalcore.cli.connection import kept_key
from quetzalcore.cli.console import note, print_table, progress_bar, say
from quetzalcore.cli.host_files import HostFiles, Running
from quetzalcore.cli.jobs import follow
from quetzalcore.cli.up import start_in_background, stop
from quetzalcore.settings import Settings

if TYPE_CHECKING:
    from quetzalcore.client import QuetzalClient
    from quetzalcore.client.models import JobView
    from quetzalcore.workloads.simulated import SimulatedFiles

__all__ = ["demo"]

_TITLE = "Demonstration survey (simulated)"


def demo(
    context: typer.Context,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for the survey and its products.")
    ] = Path("quetzal-demo"),
    seed: Annotated[int, typer.Option(help="Another seed gives another day and ground.")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Start a platform of its own, send it a simulated survey, fetch the products, stop it, compare.

    Example: quetzal demo -o demo
    """
    from quetzalcore.workloads import simulated  # noqa: PLC0415 -- heavy
    from quetzalcore.workloads.mag_survey.folder import whole_folder  # noqa: PLC0415 -- heavy

    with (
        whole_folder(output / "products") as products,
        _platform(context.obj, output / "platform") as client,
    ):
        note("Simulating an airborne survey over known bodies ...")
        files = simulated.write_files(simulated.simulate_default(seed), output / "survey.csv")
        job = _run(client, files, quiet=quiet)
        client.download(job, products)
        _say_how_it_ran(job)
    _print_comparison(job["result"] or {})
    say(f"Report: {output / 'products' / 'report.html'}")


@contextmanager
def _platform(settings: Settings, folder: Path) -> Iterator[QuetzalClient]:
    """Start a platform that keeps everything in one folder, and stop it at the end."""
    from quetzalcore.client import QuetzalClient  # noqa: PLC0415 -- heavy

    own = settings.model_copy(
        update={
            "data_dir": folder.absolute(),
            "port": _free_port(),
            "master_port": _free_port(),
            "database_url": "",
            "artifacts_url": "",
            "redis_url": "",
            "engine": "local",
        }
    )
    files = HostFiles.of(own)
    running = files.running()
    if running is not None:  # left over by a demo that was killed
        stop(running)
    running = start_in_background(own, files)
    note(f"The platform is up: {running.url}, kept in {folder}.")
    try:
        with QuetzalClient(running.url, kept_key(files)) as client:
            yield client
    finally:
        _stop(running)


def _stop(running: Running) -> None:
    stop(running)
    note("The platform is down.")


def _run(client: QuetzalClient, files: SimulatedFiles, *, quiet: bool) -> JobView:
    roles = {
        "survey": files.survey,
        "base_station": files.base_station,
        "known_bodies": files.bodies,
    }
    with progress_bar(wanted=not quiet) as advance:
        uploads = []
        for number, path in enumerate(roles.values(), start=1):
            uploads.append(client.upload(path))
            advance("upload", number / len(roles), path.name)
    job = client.submit_job(
        {
            "kind": "mag_survey",
            "params": {
                "inputs": {role: path.name for role, path in roles.items()},
                "report": {"title": _TITLE},
            },
            "inputs": [{"upload_id": upload["id"]} for upload in uploads],
        },
        idempotency_key=secrets.token_hex(16),
    )
    note(f"Submitted job {job['id']}.")
    return follow(client, job["id"], quiet=quiet)


def _say_how_it_ran(job: JobView) -> None:
    used = job["attempts"][-1]["resources"]["used"]
    if used is not None:
        note(
            f"Ran in a VM ({used['runtime']}): {used['wall_s']:.1f} s, {used['cpu_s']:.1f} s of CPU, "
            f"{used['peak_memory_mib']:,.0f} MiB at most."
        )


def _print_comparison(result: dict[str, Any]) -> None:
    compared = result.get("comparison")
    if compared is None:
        return
    table = [
        [
            body["name"],
            f"{body['true_depth_m']:.0f}",
            "" if body["found_rank"] is None else str(body["found_rank"]),
            "" if body["offset_m"] is None else f"{body['offset_m']:.0f}",
            "" if body["found_depth_m"] is None else f"{body['found_depth_m']:.0f}",
            body["note"],
        ]
        for body in compared["bodies"]
    ]
    columns = ["body", "true depth m", "found as rank", "off by m", "found m", "depth interval"]
    print_table("True against found", columns, table)
    say(
        f"{compared['found']} of {len(table)} bodies found; "
        f"{compared['stray_targets']} targets lie near none of them."
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
