"""A checked key names one file below the root, on any store, and nothing else."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quetzalcore.errors import BadParameter
from quetzalcore.jobs.stores import FolderStore, checked_key
from quetzalcore.jobs.stores.keys import LONGEST_KEY_BYTES, checked_prefix

ROOT = PurePosixPath("/root/files")
PIECES = [
    "..",
    ".",
    "/",
    "\\",
    "\0",
    "\n",
    "a",
    "é",
    "e\u0301",
    "#1",
    "~",
    " ",
    "%2F",
    "\ud800",
    "C:",
]
HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=12).map("".join)
SEGMENT = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9 ._%~+@=-]{0,60}", fullmatch=True)
PLAIN = st.lists(SEGMENT, min_size=1, max_size=8).map("/".join)


def accepted(key: str) -> bool:
    try:
        return checked_key(key) == key
    except BadParameter:
        return False


@settings(deadline=None)
@given(HOSTILE)
def test_what_is_accepted_stays_below_the_root(key) -> None:
    if not accepted(key):
        return
    path = ROOT / key
    assert path.is_relative_to(ROOT)
    assert path != ROOT
    assert ".." not in path.parts
    assert str(path) == f"{ROOT}/{key}"
    assert len(key.encode()) <= LONGEST_KEY_BYTES
    assert not set(key) & {"\0", "\n", "\r", "\x7f", "\\"}
    assert unquote(quote(key)) == key


@settings(deadline=None)
@given(PLAIN)
def test_plain_names_are_accepted(key) -> None:
    assert accepted(key)


@settings(deadline=None)
@given(HOSTILE, HOSTILE)
def test_parts_are_accepted_together_if_each_is(one, other) -> None:
    if accepted(one) and accepted(other):
        assert accepted(f"{one}/{other}") == (len(f"{one}/{other}".encode()) <= LONGEST_KEY_BYTES)


@settings(deadline=None)
@given(HOSTILE)
def test_a_prefix_is_nothing_or_a_key(prefix) -> None:
    try:
        bare = checked_prefix(prefix)
    except BadParameter:
        return
    assert bare == "" or accepted(bare)
    assert prefix.startswith(bare)
    assert set(prefix[len(bare) :]) <= {"/"}


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("", "empty"),
        ("/a", "absolute"),
        ("a//b", "empty part"),
        ("a/", "empty part"),
        ("../a", "begins with"),
        ("a/..", "begins with"),
        ("a/./b", "begins with"),
        ("a/.hidden", "begins with"),
        ("a\0b", "control"),
        ("a\tb", "control"),
        ("a\u202eb", "control"),
        ("e\u0301", "normal form"),
        ("a\\b", "backslash"),
        ("\udcff", "Unicode"),
        ("a/b#12", "temporary"),
        ("a/C:/b", "drive"),
        ("a" * 201, "longer than 200"),
        ("é" * 101, "longer than 200"),
        ("/".join(["a" * 100] * 10), "more than 900"),
    ],
)
def test_a_refusal_says_why(key, why) -> None:
    with pytest.raises(BadParameter, match=why):
        checked_key(key)


@settings(max_examples=60, deadline=None)
@given(st.lists(HOSTILE, min_size=1, max_size=6, unique=True))
def test_a_folder_keeps_every_accepted_key_as_it_is(keys) -> None:
    """What obstore reads is where we wrote, whatever the name; nothing is written elsewhere."""

    async def one(data: bytes) -> AsyncIterator[bytes]:
        yield data

    async def story(folder: Path) -> None:
        store = FolderStore(folder / "store")
        kept = {}
        for key in filter(accepted, keys):
            try:
                await store.put(key, one(key.encode()))
            except BadParameter:  # one is the folder of another
                continue
            kept[key] = key.encode()
        assert {file.key async for file in store.list("")} == set(kept)
        for key, data in kept.items():
            assert b"".join([chunk async for chunk in store.get(key)]) == data

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder)))
        assert [path.name for path in Path(folder).iterdir()] == ["store"]
