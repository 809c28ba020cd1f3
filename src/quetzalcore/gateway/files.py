"""Answers that carry a stored file, or part of one."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from quetzalcore.gateway.names import safe_filename
from quetzalcore.gateway.ranges import wanted_range
from quetzalcore.jobs.artifacts import ArtifactStore
from quetzalcore.jobs.model import Artifact

__all__ = ["artifact_answer"]

# Shown in a browser: images and plain text. HTML, which may hold scripts, only in a sandbox without origin.
_INLINE = frozenset(
    {"image/png", "image/jpeg", "text/plain", "text/csv", "application/json", "text/html"}
)
_SANDBOX = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline';"
    " img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_TYPES = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$&^_.+-/; =")


def artifact_answer(
    request: Request, store: ArtifactStore, artifact: Artifact, *, download: bool
) -> Response:
    """Give a product; a range if one is asked for, 304 if the client has it already."""
    headers = _headers(artifact, download=download)
    if _known(request, artifact):
        return Response(status_code=304, headers=headers)
    wanted = _range(request, artifact)
    start, stop = wanted or (0, artifact.size)
    headers["Content-Length"] = str(stop - start)
    if wanted is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{artifact.size}"
    status = 200 if wanted is None else 206
    if request.method == "HEAD" or stop == start:
        return Response(status_code=status, headers=headers)
    return StreamingResponse(
        store.get(artifact.key, start=start, stop=stop), status, headers=headers
    )


def _headers(artifact: Artifact, *, download: bool) -> dict[str, str]:
    media_type = artifact.media_type
    if not media_type or not set(media_type) <= _TYPES:
        media_type = "application/octet-stream"
    name = artifact.name.rsplit("/", 1)[-1]
    shown = media_type.partition(";")[0].strip().lower() in _INLINE and not download
    disposition = "inline" if shown else "attachment"
    return {
        "Content-Type": media_type,
        "Content-Disposition": (
            f"{disposition}; filename=\"{safe_filename(name)}\"; filename*=UTF-8''{quote(name, safe='')}"
        ),
        "ETag": f'"{artifact.sha256}"',
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": _SANDBOX,
    }


def _known(request: Request, artifact: Artifact) -> bool:
    given = request.headers.get("if-none-match", "")
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in given.split(",")}
    return bool(given) and (artifact.sha256 in tags or tags == {"*"})


def _range(request: Request, artifact: Artifact) -> tuple[int, int] | None:
    condition = request.headers.get("if-range")
    if condition is not None and condition.strip('"') != artifact.sha256:
        return None
    return wanted_range(request.headers.get("range"), artifact.size)
