"""A session with a gateway: typed operations, resumable uploads, event streams that survive a break, downloads."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

from quetzalcore.client import models
from quetzalcore.client.operations import Operations
from quetzalcore.client.problems import ServerUnreachable, problem_from
from quetzalcore.client.sse import JobEvent, parse_events
from quetzalcore.errors import BadOutput, Permanent, UnreadableInput, Where

__all__ = ["QuetzalClient"]

_CHUNK = 8 << 20
_TIMEOUT_S = 60.0
_PATIENCE_S = 60.0  # how long a gateway may be away before a stream or an upload gives up
_PAUSE_S = 0.5
_REPEATABLE = frozenset({"GET", "HEAD", "DELETE"})
_TRIES_S = 3 * _PAUSE_S
_ENDED = frozenset({"succeeded", "failed", "cancelled"})
_AWAY = frozenset({502, 503, 504})


class Spoiled(Permanent):
    """Bytes arrived that are not those that were promised."""

    code = "spoiled"
    title = "The download is spoiled"


class QuetzalClient(Operations):
    """A connection to one server under one key; close it or use it as a context manager.

    Parameters
    ----------
    url : str
        The server's origin, for example ``http://127.0.0.1:8000``.
    key : str
        An API key.
    transport : httpx.BaseTransport, optional
        Where requests go instead of the network.
    pause : callable, optional
        Waits between two tries.
    """

    def __init__(
        self,
        url: str,
        key: str = "",
        *,
        transport: httpx.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.url = url.rstrip("/")
        self._http = httpx.Client(
            base_url=self.url,
            headers=headers,
            timeout=httpx.Timeout(_TIMEOUT_S, connect=5.0),
            transport=transport,
        )
        self._pause = pause

    def __enter__(self) -> Self:
        """Use it in a block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def upload(
        self, path: Path, *, advanced: Callable[[int, int], None] = lambda _done, _all: None
    ) -> models.UploadView:
        """Send a file in pieces; a piece that is interrupted is continued where the server says.

        ``advanced`` is told the bytes sent and the bytes in all.
        """
        try:
            size = path.stat().st_size
            source = path.open("rb")
        except OSError as error:
            raise UnreadableInput(
                f"the file cannot be read ({error.strerror})",
                hint="give an existing file",
                where=Where(file=str(path)),
            ) from None
        with source:
            upload = self.create_upload({"filename": path.name, "size": size})
            sent = 0
            while not upload["complete"]:
                source.seek(sent)
                upload = self._patch(upload["id"], source.read(_CHUNK), sent)
                sent = upload["offset"]
                advanced(sent, size)
        return upload

    def events(self, job_id: str, *, after: int = 0) -> Iterator[JobEvent]:
        """Give a job's events as they happen until it has ended; a broken stream is resumed, nothing comes twice."""
        broken_for_s = 0.0
        while True:
            try:
                for event in self._stream(job_id, after):
                    after, broken_for_s = event.sequence, 0.0
                    yield event
                    if event.type == "state" and event.data["state"] in _ENDED:
                        return
            except (httpx.TransportError, ServerUnreachable):
                pass
            broken_for_s += _PAUSE_S
            if broken_for_s > _PATIENCE_S:
                raise ServerUnreachable(
                    f"the events of job {job_id} broke off", hint="see quetzal jobs show"
                )
            self._pause(_PAUSE_S)

    def wait(self, job_id: str) -> models.JobView:
        """Wait for a job's end and give it."""
        for _event in self.events(job_id):
            pass
        return self.get_job(job_id)

    def download(self, job: models.JobView, folder: Path) -> tuple[Path, ...]:
        """Fetch a job's artifacts into a folder, each checked against its digest before it is visible."""
        return tuple(self._fetch(job["id"], artifact, folder) for artifact in job["artifacts"])

    def _fetch(self, job_id: str, artifact: models.ArtifactView, folder: Path) -> Path:
        name = PurePosixPath(artifact["name"])
        if name.is_absolute() or ".." in name.parts:
            raise BadOutput(
                f"the server names an artifact {str(name)!r}",
                hint="report it to the server's operator: names must stay inside the folder",
            )
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.part")
        digest = hashlib.sha256()
        try:
            with draft.open("wb") as sink:
                for chunk in self._bytes(f"/api/jobs/{job_id}/artifacts/{quote(str(name))}"):
                    digest.update(chunk)
                    sink.write(chunk)
            if digest.hexdigest() != artifact["sha256"]:
                raise Spoiled(f"{name} differs from what the server promised", hint="try again")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        return path

    def _bytes(self, path: str) -> Iterator[bytes]:
        try:
            with self._http.stream("GET", path) as answer:
                _refused(answer)
                yield from answer.iter_bytes()
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _stream(self, job_id: str, after: int) -> Iterator[JobEvent]:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        path = f"/api/jobs/{job_id}/events"
        with self._http.stream("GET", path, headers=headers) as answer:
            if answer.status_code in _AWAY:
                raise ServerUnreachable(f"the server answered {answer.status_code}")
            _refused(answer)
            for event in parse_events(answer.iter_lines()):
                yield replace(event, data=event.data["data"])

    def _patch(self, upload_id: str, piece: bytes, offset: int) -> models.UploadView:
        """Send one piece; after a break, ask the server how much it has and go on from there."""
        waited_s = 0.0
        path = f"/api/uploads/{upload_id}"
        headers = {
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
        }
        while True:
            try:
                answer = self._http.patch(path, content=piece, headers=headers)
                if answer.status_code not in _AWAY:
                    _refused(answer)
                    taken: models.UploadView = answer.json()
                    return taken
            except httpx.TransportError as error:
                if waited_s > _PATIENCE_S:
                    raise self._unreachable(error) from error
            waited_s += _PAUSE_S
            self._pause(_PAUSE_S)
            found = self.get_upload(upload_id)
            if found["offset"] != offset:
                return found

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        body: Any = None,  # noqa: ANN401 -- any JSON
    ) -> Any:  # noqa: ANN401 -- any JSON
        request = self._http.build_request(
            method,
            path,
            params=_given(query),
            headers={name: str(value) for name, value in _given(headers).items()},
            json=body,
        )
        answer = self._patiently(request)
        _refused(answer)
        return answer.json() if answer.content else None

    def _patiently(self, request: httpx.Request) -> httpx.Response:
        """Send; what may be repeated without harm is repeated while the server is away for a moment."""
        repeatable = request.method in _REPEATABLE or "Idempotency-Key" in request.headers
        waited_s = 0.0
        while True:
            try:
                answer = self._http.send(request)
                if not (repeatable and answer.status_code in _AWAY and waited_s < _TRIES_S):
                    return answer
            except httpx.TransportError as error:
                if not repeatable or waited_s >= _TRIES_S:
                    raise self._unreachable(error) from error
            waited_s += _PAUSE_S
            self._pause(_PAUSE_S)

    def _unreachable(self, error: httpx.TransportError) -> ServerUnreachable:
        return ServerUnreachable(
            f"{self.url} cannot be reached ({str(error) or type(error).__name__})",
            hint="start it with quetzal up, or set QUETZAL_URL",
        )


def _given(values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (values or {}).items() if value is not None}


def _refused(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    answer.read()
    try:
        document = answer.json()
    except ValueError:
        document = None
    raise problem_from(answer.status_code, document)
