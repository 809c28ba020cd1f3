"""What a master and an agent say to each other; JSON on the wire, never pickles.

A master sends commands; an agent answers each and keeps a numbered list of events until they are
acknowledged. Every command carries its master's epoch, and an agent refuses an epoch older than the
newest it has seen (``StaleEpoch``). Leases travel as seconds from now, because clocks differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from quetzalcore.jobs.model import Artifact, Failure, Node, Resources, Usage

__all__ = [
    "AgentEvent",
    "Answer",
    "Assignment",
    "Command",
    "EventBatch",
    "Finished",
    "Grant",
    "InputLink",
    "LogLine",
    "Produced",
    "ProducedFile",
    "Progressed",
    "Renew",
    "Start",
    "Started",
    "Stop",
]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InputLink(_Message):
    """An input file and where the agent may fetch it."""

    name: str
    url: str
    size: int
    sha256: str


class Assignment(_Message):
    """One attempt: everything that an agent needs to run it."""

    attempt_id: str
    job_id: str
    tenant: str
    kind: str
    run: str
    params: Mapping[str, Any] = Field(default_factory=dict)
    inputs: tuple[InputLink, ...] = ()
    resources: Resources
    tier: str
    forkable: bool = False
    wall_s: float
    trust: str
    stage: str = ""
    settings: Mapping[str, str] = Field(default_factory=dict)  # the operator's, for the science
    lease_s: float


class Start(_Message):
    """Begin these attempts; one that is known already is not begun twice."""

    type: Literal["start"] = "start"
    epoch: int
    assignments: tuple[Assignment, ...]


class Stop(_Message):
    """Kill attempts; each answers with ``Finished`` (``cancelled``) once nothing of it is left."""

    type: Literal["stop"] = "stop"
    epoch: int
    attempt_ids: tuple[str, ...]
    reason: str = "cancelled"


class Renew(_Message):
    """Extend leases: the agent kills what is not renewed before its lease ends."""

    type: Literal["renew"] = "renew"
    epoch: int
    leases_s: Mapping[str, float]


class Grant(_Message):
    """Where an attempt's products may be put, by name; the answer to ``Produced``."""

    type: Literal["grant"] = "grant"
    epoch: int
    attempt_id: str
    urls: Mapping[str, str]


Command = Annotated[Start | Stop | Renew | Grant, Field(discriminator="type")]


class Answer(_Message):
    """The answer to any command: the node now, and the attempts that it holds."""

    ok: bool = True
    error: str = ""
    node: Node | None = None
    attempts: tuple[str, ...] = ()


class _AgentEvent(_Message):
    sequence: int
    attempt_id: str
    job_id: str


class Started(_AgentEvent):
    """The task is running in its VM."""

    type: Literal["started"] = "started"


class Progressed(_AgentEvent):
    """How far the task is."""

    type: Literal["progress"] = "progress"
    stage: str
    fraction: float
    message: str = ""


class LogLine(_AgentEvent):
    """One line that the task wrote."""

    type: Literal["log"] = "log"
    level: str = "info"
    text: str


class ProducedFile(_Message):
    """A product that waits for its grant."""

    name: str
    size: int
    sha256: str
    media_type: str


class Produced(_AgentEvent):
    """The task has ended well and these files wait to be put."""

    type: Literal["produced"] = "produced"
    files: tuple[ProducedFile, ...]


class Finished(_AgentEvent):
    """The end of an attempt: nothing of it runs any more, and all its products are in the store."""

    type: Literal["finished"] = "finished"
    ending: Literal["succeeded", "failed", "cancelled"]
    result: Mapping[str, Any] | None = None
    failure: Failure | None = None
    used: Usage | None = None
    artifacts: tuple[Artifact, ...] = ()


AgentEvent = Annotated[
    Started | Progressed | LogLine | Produced | Finished, Field(discriminator="type")
]


class EventBatch(_Message):
    """Events after the acknowledged one, oldest first."""

    events: tuple[AgentEvent, ...] = ()
    node: Node | None = None
