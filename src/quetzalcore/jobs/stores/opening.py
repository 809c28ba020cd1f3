"""Which store a URL means."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from quetzalcore.errors import BadParameter
from quetzalcore.jobs.artifacts import ArtifactStore
from quetzalcore.jobs.links import FileLinks, SignedLinks
from quetzalcore.jobs.stores.bucket import BucketStore
from quetzalcore.jobs.stores.folder import FolderStore

__all__ = ["open_store"]

_HINT = "give file:///PATH or s3://BUCKET/PREFIX?endpoint=URL&region=NAME"


def open_store(
    url: str,
    *,
    links: FileLinks | SignedLinks | None = None,
    access_key_id: str = "",
    secret_access_key: str = "",
) -> ArtifactStore:
    """Open ``file:///path`` or ``s3://bucket/prefix?endpoint=...&region=...``.

    ``links`` says how agents reach a folder (by default: on its own host); a bucket presigns its own.

    Raises
    ------
    BadParameter
        If the URL means neither.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.path.startswith("/") and not (parts.netloc or parts.query):
        return FolderStore(Path(unquote(parts.path)), links=links)
    if parts.scheme != "s3" or not parts.netloc:
        raise BadParameter(f"{url!r} is no artifact store", hint=_HINT)
    return BucketStore(
        parts.netloc,
        prefix=parts.path.strip("/"),
        access_key_id=access_key_id,
        secret_access_key=secret_access_key,
        **_options(parts.query),
    )


def _options(query: str) -> dict[str, str]:
    """Read endpoint and region; refuse anything else, so that a typing error is not overlooked."""
    given = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    unknown = sorted(set(given) - {"endpoint", "region"})
    if unknown:
        raise BadParameter(f"an S3 store has no option {unknown[0]!r}", hint=_HINT)
    return given
