"""Taking what a machine left in its output folder: regular files only, counted, measured and hashed."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from quetzalcore.errors import UserMistake
from quetzalcore.hypervisor.spec import Product

__all__ = ["BadProduct", "ProductLimits", "collect", "media_type"]

_MIB = 1024**2
_BLOCK = 1024 * 1024
_NAME_BYTES = 512
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MEDIA_TYPES = {
    ".csv": "text/csv",
    ".geojson": "application/geo+json",
    ".html": "text/html",
    ".json": "application/json",
    ".npy": "application/x-npy",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".toml": "application/toml",
    ".txt": "text/plain",
    ".nc": "application/netcdf",
}


class BadProduct(UserMistake):
    """A machine left something that is not taken: too much, not a plain file, or a name that is no name."""

    code = "bad_product"
    title = "A result file cannot be taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductLimits:
    """How much is taken of one machine."""

    files: int = 1000
    total_mib: int = 4096
    depth: int = 8


def media_type(name: str) -> str:
    """Tell a product's media type by its suffix, from a fixed list."""
    return _MEDIA_TYPES.get(Path(name).suffix.lower(), "application/octet-stream")


def collect(out: Path, limits: ProductLimits | None = None) -> tuple[Product, ...]:
    """Take the regular files below ``out``, in the order of their names.

    Call it after ``Runtime.kill``: only then is the folder filled (a machine's own ``/out`` is memory
    of its own) and only then can nothing change under the hand. No link is followed. Anything but
    plain files and folders, names that are not plain relative UTF-8, files with several names, and more
    files or bytes than the limits raise ``BadProduct``; an ``out`` that does not exist holds nothing.
    """
    limits = limits or ProductLimits()
    try:
        root = os.open(out, _DIRECTORY)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise BadProduct(
            "the output folder has been replaced by something else",
            hint="leave the output folder in place and write into it",
        ) from error
    products: list[Product] = []
    left = limits.total_mib * _MIB
    try:
        for name, parent, leaf in _walk(root, "", limits.depth):
            if len(products) == limits.files:
                raise BadProduct(
                    f"there are more than {limits.files} result files",
                    hint="write fewer, larger files",
                )
            product = _take(out / name, name, parent, leaf, left)
            left -= product.size
            products.append(product)
    finally:
        os.close(root)
    return tuple(sorted(products, key=lambda product: product.name))


def _walk(folder: int, prefix: str, depth: int) -> Iterator[tuple[str, int, str]]:
    """Give (relative name, descriptor of its folder, last part) of everything that is not a folder."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for leaf in names:
        name = f"{prefix}{leaf}"
        _check_name(name)
        if not stat.S_ISDIR(os.stat(leaf, dir_fd=folder, follow_symlinks=False).st_mode):
            yield name, folder, leaf
            continue
        if depth <= 1:
            raise BadProduct(f"the folder {name!r} lies too deep", hint="use fewer folders")
        with _opened(leaf, folder, name) as below:
            yield from _walk(below, f"{name}/", depth - 1)


@contextlib.contextmanager
def _opened(leaf: str, parent: int, name: str) -> Iterator[int]:
    try:
        below = os.open(leaf, _DIRECTORY, dir_fd=parent)
    except OSError as error:
        raise BadProduct(
            f"the folder {name!r} cannot be opened", hint="make it readable"
        ) from error
    try:
        yield below
    finally:
        os.close(below)


def _check_name(name: str) -> None:
    try:
        raw = name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BadProduct(
            f"the name {name.encode('utf-8', 'backslashreplace')!r} is not UTF-8",
            hint="name result files in UTF-8",
        ) from error
    if len(raw) > _NAME_BYTES or not name.isprintable() or "\\" in name:
        raise BadProduct(
            f"{name[:80]!r} cannot be the name of a result file",
            hint=f"use printable names without a backslash, at most {_NAME_BYTES} bytes with their folders",
        )


def _take(path: Path, name: str, parent: int, leaf: str, left: int) -> Product:
    try:
        descriptor = os.open(leaf, _FILE, dir_fd=parent)
    except OSError as error:
        raise _not_plain(name) from error
    with io.FileIO(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise _not_plain(name)
        if status.st_size > left:
            raise BadProduct(
                f"the result files are larger than allowed; {name!r} has {status.st_size} bytes, {left} are left",
                hint="write less, or ask for more scratch space",
            )
        return Product(
            name=name,
            path=path,
            size=status.st_size,
            sha256=_digest(file, status.st_size, name),
            media_type=media_type(name),
        )


def _digest(file: io.FileIO, size: int, name: str) -> str:
    digest, block, left = hashlib.sha256(), bytearray(min(_BLOCK, size)), size
    while left and (count := file.readinto(block)):
        digest.update(memoryview(block)[:count])
        left -= count
    if left:
        raise BadProduct(f"{name!r} shrank while it was read", hint="collect after the end")
    return digest.hexdigest()


def _not_plain(name: str) -> BadProduct:
    return BadProduct(
        f"{name!r} is not a plain file of its own: links, pipes, sockets and devices are not taken",
        hint="write result files as plain files",
    )
