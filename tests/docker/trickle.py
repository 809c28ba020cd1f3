"""A steady trickle of requests, half of them POST, that remembers every one that failed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx


@dataclass(kw_only=True)
class Trickle:
    """What was asked and what came back."""

    asked: int = 0
    failures: list[str] = field(default_factory=list)
    versions: Counter[str] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)


@contextmanager
def trickle(url: str, key: str, *, posts: bool = True, every_s: float = 0.08) -> Iterator[Trickle]:
    """Ask all the time while the block runs; every request has a connection of its own."""
    found, stop = Trickle(), threading.Event()
    thread = threading.Thread(
        target=_ask,
        kwargs={"posts": posts, "every_s": every_s, "found": found, "stop": stop},
        args=(url, key),
    )
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def _ask(
    url: str, key: str, *, posts: bool, every_s: float, found: Trickle, stop: threading.Event
) -> None:
    headers = {"X-API-Key": key, "Connection": "close"}
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=url, headers=headers, timeout=20.0, limits=limits) as client:
        while not stop.wait(every_s):
            found.asked += 1
            try:
                if posts and found.asked % 2:
                    answer = client.post("/api/jobs", json={"kind": "noop", "params": {}})
                else:
                    answer = client.get("/health")
            except httpx.HTTPError as error:
                found.failures.append(f"{type(error).__name__}: {error}")
                continue
            if not answer.is_success:
                found.failures.append(f"{answer.status_code}: {answer.text[:200]}")
            elif "version" in answer.json():
                found.versions[answer.json()["version"]] += 1
            else:
                found.accepted.append(answer.json()["id"])
