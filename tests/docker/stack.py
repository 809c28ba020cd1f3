"""The stack as an operator runs it: the shipped compose files, from the shipped folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
from tests.docker.images import POSTGRES, REDIS, REPOSITORY, Builder, run

from quetzalcore.autoscaler.containers import LABELS

FOLDER = REPOSITORY / "deploy/compose"
T = TypeVar("T")
WORKER = ("-f", "docker-compose.worker.yml")
WALLED = (*WORKER, "-f", "docker-compose.walled.yml")


def until(question: Callable[[], T], *, limit_s: float, what: str, every_s: float = 0.5) -> T:
    """Ask until the answer is true; give it."""
    give_up_at = time.monotonic() + limit_s
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < give_up_at, f"not within {limit_s:.0f} s: {what}"
        time.sleep(every_s)


def compose_program() -> tuple[str, ...]:
    """Give the compose that is here: the engine's own plugin, or the older program."""
    plugin = subprocess.run(("docker", "compose", "version"), capture_output=True, check=False)
    if plugin.returncode == 0:
        return ("docker", "compose")
    program = shutil.which("docker-compose")
    assert program, "compose is missing: apt-get install docker-compose"
    return (program,)


@dataclass(kw_only=True)
class Stack:
    """A running stack and its workers, under names of our own."""

    builder: Builder
    image: str
    host: str
    ports: dict[str, int]
    secrets: Path
    name: str
    key: str = field(default="", repr=False)
    more: dict[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = field(default_factory=compose_program)

    @property
    def url(self) -> str:
        """Where the balancer answers."""
        return f"http://{self.host}:{self.ports['QUETZAL_HTTP_PORT']}"

    def environment(self, image: str = "") -> dict[str, str]:
        """Give what an operator would export."""
        return {
            **self.builder.environment,
            **{name: str(port) for name, port in self.ports.items()},
            "COMPOSE_PROJECT_NAME": self.name,
            "COMPOSE_IGNORE_ORPHANS": "true",
            "COMPOSE": " ".join(self.program),
            "QUETZAL_NETWORK": self.name,
            "QUETZAL_IMAGE": image or self.image,
            "QUETZAL_BALANCER_IMAGE": self.image,
            "POSTGRES_IMAGE": POSTGRES,
            "REDIS_IMAGE": REDIS,
            "QUETZAL_SECRETS": str(self.secrets),
            "WORKER_CPUS": "1",
            "WORKER_MEMORY_MIB": "2048",
            "WORKER_MEMORY": "4g",
            **self.more,
        }

    def compose(self, *arguments: str, image: str = "") -> str:
        """Run compose in the shipped folder."""
        return run(
            (*self.program, "--project-directory", str(FOLDER), *_placed(arguments)),
            environment=self.environment(image),
        )

    def workers(self, *arguments: str, files: tuple[str, ...] = WORKER, group: str = "w") -> str:
        """Run compose over the workers' files."""
        return self.compose("-p", f"{self.name}{group}", *files, *arguments)

    def up(self) -> None:
        """Make secrets, start everything, and let one worker join."""
        run((str(FOLDER / "make-secrets.sh"), str(self.secrets)))
        self.compose("up", "-d", "--scale", "gateway=2")
        self.until_healthy("gateway", "master", "balancer")
        kept = self.compose("exec", "-T", "gateway", "cat", "/var/lib/quetzal/admin-credentials")
        lines = dict(line.split(" = ", 1) for line in kept.splitlines())
        self.key = lines["key"]
        said = self.compose(
            *("exec", "-T", "gateway", "quetzal", "key", "create", "--user", "admin", "--join")
        )
        (self.secrets / "join_key").write_text(said)
        (self.secrets / "join_key").chmod(0o444)
        self.scale_workers(1)

    @contextmanager
    def autoscaling(self, provider: Path) -> Iterator[None]:
        """Let the master make workers of its own while the block runs."""
        over = ("-f", "docker-compose.yml", "-f", "docker-compose.autoscale.yml")
        self.more = {
            "DOCKER_SOCKET": str(self.builder.engine.socket),
            "DOCKER_GID": str(self.builder.engine.socket.stat().st_gid),
            "QUETZAL_PROVIDER_CONFIG": str(provider),
            "QUETZAL_SCALING_MAX_WORKERS": "3",
            "QUETZAL_SCALING_QUEUE_UP": "3",
            "QUETZAL_SCALING_IDLE_S": "10",
            "QUETZAL_SCALING_SCALE_UP_COOLDOWN": "5",
            "QUETZAL_SCALING_SCALE_DOWN_COOLDOWN": "10",
        }
        self.compose(*over, "up", "-d", "--no-deps", "master")
        self.until_healthy("master")
        try:
            yield
        finally:
            self.compose("up", "-d", "--no-deps", "master")
            for one in self.made_by_master():
                self.builder.docker("rm", "--force", "--volumes", one)
            self.more = {}

    def made_by_master(self) -> list[str]:
        """Give the containers that the docker provider made for this stack."""
        label = f"label={LABELS}cluster={self.name}"
        return self.builder.docker("ps", "--all", "--quiet", "--filter", label).split()

    def down(self) -> None:
        """Remove every container, volume and network of ours."""
        self.workers("down", "-v", "--timeout", "5", files=WALLED, group="x")
        self.workers("down", "-v", "--timeout", "5")
        self.compose("down", "-v", "--timeout", "5")

    def scale_workers(self, count: int) -> None:
        """Ask compose for so many workers and wait until so many take jobs."""
        self.workers("up", "-d", "--no-recreate", "--scale", f"worker={count}")
        until(
            lambda: len(self.ready_nodes()) == count, limit_s=120, what=f"{count} workers are ready"
        )

    def containers(self, service: str, *, group: str = "") -> list[dict[str, Any]]:
        """Describe the containers of a service that run."""
        label = f"com.docker.compose.project={self.name}{group}"
        ids = self.builder.docker(
            *("ps", "--quiet", "--filter", f"label={label}"),
            *("--filter", f"label=com.docker.compose.service={service}"),
        ).split()
        return json.loads(self.builder.docker("inspect", *ids)) if ids else []

    def until_healthy(self, *services: str) -> None:
        """Wait until every container of these services says that it does its work."""

        def healthy() -> bool:
            found = [one for service in services for one in self.containers(service)]
            return bool(found) and all(
                one["State"].get("Health", {}).get("Status") == "healthy" for one in found
            )

        until(healthy, limit_s=120, what=f"{', '.join(services)} healthy")

    def ready_nodes(self) -> list[dict[str, Any]]:
        """Give the nodes that take jobs."""
        with self.client() as client:
            return [n for n in client.get("/api/cluster/nodes").json()["items"] if n["ready"]]

    def client(self) -> httpx.Client:
        """Give a client of the whole stack, through its balancer."""
        return httpx.Client(base_url=self.url, headers={"X-API-Key": self.key}, timeout=90.0)

    def send_survey(self, survey: Path) -> dict[str, Any]:
        """Post a survey; give the job as it is answered, without waiting for its end."""
        with survey.open("rb") as file, self.client() as client:
            answer = client.post(
                "/api/mining/mag-survey?wait=0", files={"file": file}, data={"params": "{}"}
            )
        assert answer.status_code in {200, 202}, answer.text
        return answer.json()

    def job(self, job_id: str) -> dict[str, Any]:
        """Give a job."""
        with self.client() as client:
            return client.get(f"/api/jobs/{job_id}").json()

    def states(self, job_ids: list[str]) -> set[str]:
        """Give in which states these jobs are."""
        with self.client() as client:
            return {client.get(f"/api/jobs/{job_id}").json()["state"] for job_id in job_ids}

    def ended(self, job_id: str, *, limit_s: float = 420) -> dict[str, Any]:
        """Wait for a job's end."""
        ends = {"succeeded", "failed", "cancelled"}
        until(
            lambda: self.job(job_id)["state"] in ends,
            limit_s=limit_s,
            what="the job ends",
            every_s=1,
        )
        return self.job(job_id)


def crash(container: dict[str, Any]) -> None:
    """End a container as a fault of its own would: the engine was not asked to, so it starts it again."""
    os.kill(container["State"]["Pid"], signal.SIGKILL)


def _placed(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """Let compose find the files that are named, wherever it is started."""
    names = {name: str(FOLDER / name) for name in arguments if name.endswith(".yml")}
    files = () if "-f" in arguments else ("-f", str(FOLDER / "docker-compose.yml"))
    return (*files, *(names.get(argument, argument) for argument in arguments))
