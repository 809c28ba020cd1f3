"""The balancer follows the book of instances: those that come are served, those that leave or fall silent are not."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import structlog

from quetzalcore.errors import QuetzalError
from quetzalcore.jobs.scaling import InstanceBook, InstanceReport
from quetzalcore.ops.balancer.options import Upstream

__all__ = ["Balancing", "Front", "Sight", "serving"]

_log = structlog.get_logger(__name__)
SILENT = dt.timedelta(seconds=6)
_EVERY_S = 0.5
_LOG_BYTES = 64 * 2**20


class Front(Protocol):
    """What stands before the instances."""

    async def apply(self, upstreams: Sequence[Upstream]) -> bool:
        """Return when exactly these are served; True where that was a change. Idempotent."""
        ...

    async def serves(self) -> str:
        """Name what is served; empty where nothing is."""
        ...

    async def rotate(self, *, most_bytes: int) -> bool:
        """Begin new log files where one has grown beyond a size."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """How well the book could be read.

    While it cannot be written nobody can say that they live: what was silent only then is no sign of death.
    """

    lost_at: dt.datetime | None = None
    back_at: dt.datetime | None = None

    def after(self, now: dt.datetime, *, seen: bool) -> Sight:
        """Take in whether the book could be read."""
        if not seen:
            return Sight(lost_at=self.lost_at or now)
        if self.lost_at is None:
            return self
        back_at = self.back_at or now
        return Sight() if now - back_at > SILENT else Sight(lost_at=self.lost_at, back_at=back_at)

    def oldest(self, now: dt.datetime) -> dt.datetime:
        """Give the time since when an instance has to have been seen."""
        return min(now, self.lost_at or now) - SILENT


def serving(reports: Sequence[InstanceReport], *, since: dt.datetime) -> tuple[InstanceReport, ...]:
    """Give who takes new requests: seen since then, and not leaving.

    Where all are leaving, they are taken rather than none: they answer until they are gone.
    """
    alive = tuple(report for report in reports if report.seen_at >= since)
    return tuple(report for report in alive if not report.draining) or alive


class Balancing:
    """Reads the book again and again, and tells the front."""

    def __init__(
        self,
        book: InstanceBook,
        front: Front,
        *,
        clock: Callable[[], dt.datetime],
        every_s: float = _EVERY_S,
    ) -> None:
        self._book = book
        self._front = front
        self._clock = clock
        self._every_s = every_s
        self._sight = Sight()
        self._trouble = ""

    async def run(self) -> None:
        """Follow until cancelled; only a front that does not even start ends it."""
        if not await self._front.serves():
            await self._front.apply(())
        while True:
            try:
                await self.step()
                self._trouble = ""
            except QuetzalError as error:
                if str(error) != self._trouble:  # said once, not twice a second
                    self._trouble = str(error)
                    _log.error("balancer.trouble", error=str(error), code=error.code)
            await asyncio.sleep(self._every_s)

    async def step(self) -> bool:
        """Look once; say whether the front had to change."""
        now = self._clock()
        try:
            reports = await self._book.list()
        except QuetzalError:
            self._sight = self._sight.after(now, seen=False)
            raise
        self._sight = self._sight.after(now, seen=True)
        served = serving(reports, since=self._sight.oldest(now))
        upstreams = await _upstreams(served)
        changed = await self._front.apply(upstreams)
        if changed:
            _log.info("balancer.serves", instances=[report.id for report in served])
        await self._front.rotate(most_bytes=_LOG_BYTES)
        return changed


async def _upstreams(reports: Sequence[InstanceReport]) -> tuple[Upstream, ...]:
    """Give the instances' addresses; one that cannot be found is left out aloud."""
    found = []
    for report in reports:
        address = await _address(report.url)
        if address is None:
            _log.warning("balancer.no_address", instance=report.id, url=report.url)
        else:
            found.append(Upstream(address=address))
    return tuple(found)


async def _address(url: str) -> str | None:
    """Give ``IP:PORT`` of an instance's URL; a name is looked up now, for nginx would only when it starts."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        address = ipaddress.ip_address(found[0][4][0])
    except (OSError, ValueError, UnicodeError):
        return None
    if parts.scheme != "http" or address.is_unspecified:
        return None
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"  # noqa: PLR2004 -- IPv6
