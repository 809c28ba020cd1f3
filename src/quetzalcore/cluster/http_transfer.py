"""Move a job's files over HTTP: resumed, retried, capped in size, checked."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx

from quetzalcore.cluster.messages import InputLink
from quetzalcore.cluster.moving import TransferFailed, check_digest

__all__ = ["HttpMover"]

_TRIES = 5
_FIRST_PAUSE_S = 0.2
_CHUNK = 1 << 20
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
_PARTIAL, _RANGE_BEYOND = 206, 416
_SERVER_FAULT = 500
_WORTH_A_RETRY = frozenset({408, 425, 429})


class HttpMover:
    """Moves files by signed ``http(s):`` links.

    Parameters
    ----------
    client : httpx.AsyncClient, optional
        For tests; by default one of its own without redirects, cookies or proxies from the environment.
    pause_s : float
        The first wait before another try; it doubles, with jitter.
    """

    def __init__(
        self, client: httpx.AsyncClient | None = None, *, pause_s: float = _FIRST_PAUSE_S
    ) -> None:
        self._client = client or httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False)
        self._pause_s = pause_s

    async def fetch(self, link: InputLink, target: Path) -> None:
        """Stream a file here, going on where a broken try ended."""
        target.parent.mkdir(parents=True, exist_ok=True)
        await self._persist(lambda: self._fetch_once(link, target), f"the input {link.name!r}")
        await asyncio.to_thread(check_digest, link, target)

    async def put(self, source: Path, url: str) -> None:
        """Stream a file there; the store shows it whole or not at all."""
        await self._persist(lambda: self._put_once(source, url), f"the product {source.name!r}")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _persist(self, work: Callable[[], Awaitable[None]], what: str) -> None:
        """Try again with growing pauses while another try may help."""
        for attempt in range(_TRIES):
            try:
                await work()
            except (httpx.TransportError, httpx.HTTPStatusError) as error:
                if attempt == _TRIES - 1 or not _may_mend(error):
                    raise TransferFailed(
                        f"{what} could not be moved: {_reason(error)}",
                        hint="see whether the node reaches the artifact store",
                    ) from error
                pause = self._pause_s * 2**attempt * random.uniform(0.5, 1.0)  # noqa: S311 -- jitter, no secret
                await asyncio.sleep(pause)
            else:
                return

    async def _fetch_once(self, link: InputLink, target: Path) -> None:
        have = target.stat().st_size if target.exists() else 0  # noqa: ASYNC240 -- a short call
        if have >= link.size > 0:
            return
        wanted = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        async with self._client.stream("GET", link.url, headers=wanted) as answer:
            if answer.status_code == _RANGE_BEYOND:
                target.unlink()  # noqa: ASYNC240 -- a short call
                raise httpx.ReadError("the file there is shorter than ours")
            answer.raise_for_status()
            resumed = answer.status_code == _PARTIAL
            with target.open("ab" if resumed else "wb") as file:
                await _copy(answer, file.write, room=link.size - (have if resumed else 0))

    async def _put_once(self, source: Path, url: str) -> None:
        size = source.stat().st_size  # noqa: ASYNC240 -- a short call
        answer = await self._client.put(
            url, content=_chunks(source), headers={"Content-Length": str(size)}
        )
        answer.raise_for_status()


async def _copy(answer: httpx.Response, write: Callable[[bytes], object], *, room: int) -> None:
    """Write what comes, at most ``room`` bytes: a longer file is not the one that was promised."""
    async for chunk in answer.aiter_raw():
        room -= len(chunk)
        write(chunk)
        if room < 0:
            return  # the digest will not fit


async def _chunks(source: Path) -> AsyncIterator[bytes]:
    with source.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk


def _may_mend(error: httpx.TransportError | httpx.HTTPStatusError) -> bool:
    if isinstance(error, httpx.TransportError):
        return True
    status = error.response.status_code
    return status >= _SERVER_FAULT or status in _WORTH_A_RETRY


def _reason(error: httpx.TransportError | httpx.HTTPStatusError) -> str:
    """Say what went wrong without the link, which is a secret."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"the server answered {error.response.status_code}"
    return str(error) or type(error).__name__
