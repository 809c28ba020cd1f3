"""A file on disk as bytes: plain, compressed or inside an archive, within limits."""

from __future__ import annotations

import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from quetzalcore.errors import UnreadableInput, Where
from quetzalcore.formats.options import Limits

__all__ = ["Source", "open_source"]

_MAGIC = {
    b"\x1f\x8b": "gz",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zst",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
}
_FEED = 16 * 1024  # small, so that one step of a bomb stays small
_RATIO_FREE_BYTES = 16 << 20
_PAIR = {".dfn", ".dat"}
_BESIDE = {".dfn", ".dat", ".des", ".met", ".prj", ".txt", ".md", ".xml", ".pdf"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the bytes of a survey come from.

    Parameters
    ----------
    path : Path
        The file as the user named it.
    name : str
        Name of the data themselves, without archive or compression.
    compression : str
        ``none``, ``gz``, ``xz``, ``zst`` or ``zip``.
    open : callable
        Opens the decompressed bytes; each call starts from the beginning.
    sibling : callable
        Reads a small file of the same stem and another suffix, or gives None.
    """

    path: Path
    name: str
    compression: str
    open: Callable[[], IO[bytes]]
    sibling: Callable[[str], bytes | None]

    @property
    def where(self) -> Where:
        """The file, for error messages."""
        return Where(file=self.path.name)


def open_source(path: str | Path, limits: Limits) -> Source:
    """Find out how ``path`` is packed and return its bytes as a source.

    Raises
    ------
    UnreadableInput
        If it is missing, a folder, empty, not readable, or an archive that cannot be used.
    """
    path = Path(path)
    where = Where(file=path.name)
    if path.is_dir():
        raise UnreadableInput("this is a folder", hint="name one file in it", where=where)
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except FileNotFoundError:
        raise UnreadableInput(
            f"there is no file {path}", hint="check the path", where=where
        ) from None
    except OSError as error:
        raise UnreadableInput(
            f"it cannot be opened ({error.strerror})", hint="check its permissions", where=where
        ) from error
    if not head:
        raise UnreadableInput(
            "the file is empty", hint="check that the copy or export finished", where=where
        )
    kind = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), "none")
    if kind == "zip":
        return _zip_source(path, limits)
    return _file_source(path, kind, limits)


def _file_source(path: Path, kind: str, limits: Limits) -> Source:
    name = path.name if kind == "none" else path.stem

    def opener() -> IO[bytes]:
        if kind == "none":
            return path.open("rb")
        return io.BufferedReader(_Unpacked(path, kind, limits), 1 << 20)

    def sibling(suffix: str) -> bytes | None:
        stem = Path(name).stem
        for candidate in path.parent.glob(f"{_literal(stem)}.*"):
            if candidate.name.lower() == f"{stem}{suffix}".lower() and candidate.is_file():
                return candidate.read_bytes()
        return None

    return Source(path=path, name=name, compression=kind, open=opener, sibling=sibling)


def _literal(text: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in text)


class _Decoder(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def _decoder(kind: str) -> _Decoder:
    if kind == "gz":
        return zlib.decompressobj(wbits=31)
    if kind == "xz":
        return lzma.LZMADecompressor(memlimit=1 << 30)
    import zstandard  # noqa: PLC0415 -- only for .zst

    decoder: _Decoder = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()
    return decoder


class _Unpacked(io.RawIOBase):
    """Decompresses as it is read; stops at the limits and at a truncated end."""

    def __init__(self, path: Path, kind: str, limits: Limits) -> None:
        self._file = path.open("rb")
        self._kind = kind
        self._guard = _Guard(path, limits, packed_bytes=path.stat().st_size)
        self._decoder = _decoder(kind)
        self._fed = False
        self._left = b""
        self._done = False

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 -- the buffer protocol has no type in 3.11
        while not self._left and not self._done:
            self._left = self._step()
        size = min(len(buffer), len(self._left))
        buffer[:size] = self._left[:size]
        self._left = self._left[size:]
        return size

    def _step(self) -> bytes:
        data = (self._decoder.unused_data if self._decoder.eof else b"") or self._file.read(_FEED)
        if not data:
            self._done = True
            if self._fed and not self._decoder.eof:
                raise self._guard.truncated(self._kind)
            return b""
        if self._decoder.eof:
            self._decoder = _decoder(self._kind)
        self._fed = True
        try:
            plain = self._decoder.decompress(data)
        except Exception as error:
            if type(error).__name__ not in {"error", "LZMAError", "ZstdError"}:
                raise
            raise self._guard.damaged(self._kind, str(error)) from error
        self._guard.count(len(plain))
        return plain


class _Guard:
    """Counts decompressed bytes and refuses bombs."""

    def __init__(self, path: Path, limits: Limits, *, packed_bytes: int) -> None:
        self._where = Where(file=path.name)
        self._limits = limits
        self._packed = max(1, packed_bytes)
        self._total = 0

    def count(self, size: int) -> None:
        self._total += size
        too_big = self._total > self._limits.max_decompressed_bytes
        too_dense = (
            self._total > _RATIO_FREE_BYTES and self._total > self._limits.max_ratio * self._packed
        )
        if too_big or too_dense:
            raise UnreadableInput(
                f"it grew to {self._total:,} bytes from {self._packed:,} and looks like a "
                "decompression bomb",
                hint="decompress it yourself, or raise max_ratio and max_decompressed_bytes",
                where=self._where,
            )

    def truncated(self, kind: str) -> UnreadableInput:
        return UnreadableInput(
            f"the {kind} archive ends before its data do",
            hint="copy or download it again",
            where=self._where,
        )

    def damaged(self, kind: str, reason: str) -> UnreadableInput:
        return UnreadableInput(
            f"the {kind} archive is damaged ({reason})",
            hint="copy or download it again",
            where=self._where,
        )


class _Guarded(io.RawIOBase):
    """A zip member that is counted as it is read."""

    def __init__(self, member: IO[bytes], guard: _Guard) -> None:
        self._member = member
        self._guard = guard

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._member.close()
        super().close()

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 -- as above
        try:
            data = self._member.read(len(buffer))
        except EOFError:
            raise self._guard.truncated("zip") from None
        except (zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
            raise self._guard.damaged("zip", str(error)) from error
        self._guard.count(len(data))
        buffer[: len(data)] = data
        return len(data)


def _zip_source(path: Path, limits: Limits) -> Source:
    where = Where(file=path.name)
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise UnreadableInput(
            f"the zip archive is truncated or damaged ({error})",
            hint="copy or download it again",
            where=where,
        ) from error
    with archive:
        members = archive.infolist()
    data = _choose_member(members, where)

    def read(info: zipfile.ZipInfo) -> IO[bytes]:
        guard = _Guard(path, limits, packed_bytes=info.compress_size)
        try:
            with zipfile.ZipFile(path) as archive:
                member = archive.open(info)  # keeps the file open until it is closed itself
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise guard.damaged("zip", str(error)) from error
        return io.BufferedReader(_Guarded(member, guard), 1 << 20)

    def sibling(suffix: str) -> bytes | None:
        stem = PurePosixPath(data.filename).stem.lower()
        for info in members:
            inner = PurePosixPath(info.filename)
            if inner.stem.lower() == stem and inner.suffix.lower() == suffix:
                with read(info) as stream:
                    return stream.read()
        return None

    return Source(
        path=path,
        name=PurePosixPath(data.filename).name,
        compression="zip",
        open=lambda: read(data),
        sibling=sibling,
    )


def _choose_member(members: list[zipfile.ZipInfo], where: Where) -> zipfile.ZipInfo:
    for info in members:
        inner = PurePosixPath(info.filename.replace("\\", "/"))
        if inner.is_absolute() or ".." in inner.parts or ":" in inner.parts[0]:
            raise UnreadableInput(
                f"the archive holds a path that leaves it: {info.filename!r}",
                hint="pack the file again without folders",
                where=where,
            )
        if info.flag_bits & 1:
            raise UnreadableInput(
                f"{info.filename!r} in the archive is encrypted",
                hint="pack it without a password",
                where=where,
            )
    files = [i for i in members if not i.is_dir() and not _is_litter(i.filename)]
    tables = [i for i in files if PurePosixPath(i.filename).suffix.lower() not in _BESIDE] or [
        i for i in files if PurePosixPath(i.filename).suffix.lower() in {".dat", ".txt"}
    ]
    suffixes = {PurePosixPath(i.filename).suffix.lower() for i in files}
    if suffixes >= _PAIR:
        tables = [i for i in files if PurePosixPath(i.filename).suffix.lower() == ".dat"]
    if len(tables) != 1:
        names = ", ".join(i.filename for i in files[:5]) or "nothing"
        raise UnreadableInput(
            f"the archive must hold one table and holds {names}",
            hint="pack one table, or one pair of .dfn and .dat",
            where=where,
        )
    return tables[0]


def _is_litter(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or parts[-1].startswith(".")
