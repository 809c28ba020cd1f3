"""A folder keeps files whole through crashes, full disks and neighbours."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.jobs.stores import FolderStore, StoreRefused, StoreUnavailable

WRITER = textwrap.dedent("""
    import asyncio, sys
    from pathlib import Path
    from quetzalcore.jobs.stores import FolderStore

    async def source():
        for _ in range(12):
            yield bytes(1 << 20)
        print("half", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        yield b"the end"

    print(asyncio.run(FolderStore(Path(sys.argv[1])).put("jobs/1/big", source())), flush=True)
""")
FULL = textwrap.dedent("""
    import asyncio, sys
    from pathlib import Path
    from quetzalcore.jobs.stores import FolderStore, StorageFull

    async def source(size):
        for _ in range(size):
            yield bytes(1 << 20)

    async def story():
        store = FolderStore(Path(sys.argv[1]) / "artifacts")
        await store.put("old", source(1))
        for key in ("new", "old"):
            try:
                await store.put(key, source(50))
            except StorageFull as error:
                print(error)
        print([(file.key, file.size) async for file in store.list("")])
        print([path.name for path in (Path(sys.argv[1]) / "artifacts" / "drafts").iterdir()])
        print(await store.put("new", source(4)))

    asyncio.run(story())
""")


async def one(data: bytes) -> AsyncIterator[bytes]:
    yield data


def keys(store: FolderStore) -> list[str]:
    async def story() -> list[str]:
        return sorted([file.key async for file in store.list("")])

    return asyncio.run(story())


@pytest.fixture
def writer(tmp_path) -> Iterator[subprocess.Popen[str]]:
    """Give a process that has written half of a file."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "half\n"
    yield process
    process.kill()
    process.communicate()


def test_a_killed_writer_leaves_nothing(writer, tmp_path) -> None:
    assert keys(FolderStore(tmp_path)) == []
    (draft,) = (tmp_path / "drafts").iterdir()
    assert draft.stat().st_size >= 8 << 20
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    assert keys(FolderStore(tmp_path)) == []
    assert list((tmp_path / "drafts").iterdir()) == []
    assert list((tmp_path / "files").iterdir()) == []


def test_opening_the_store_does_not_disturb_a_living_writer(writer, tmp_path) -> None:
    other = FolderStore(tmp_path)
    assert len(list((tmp_path / "drafts").iterdir())) == 1
    answer, _ = writer.communicate("go on\n")
    assert answer == f"{(12 << 20) + 7}\n"
    assert keys(other) == ["jobs/1/big"]
    assert list((tmp_path / "drafts").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a file system of its own")
def test_a_full_disk_is_said_in_words_and_leaves_nothing(tmp_path) -> None:
    mount = f"mount -t tmpfs -o size=6m none {tmp_path}"
    script = f'{mount} && exec "{sys.executable}" -c "$0" {tmp_path}'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, FULL], capture_output=True, text=True, check=False
    )
    new, old, listed, drafts, size = done.stdout.splitlines() or [done.stderr] * 5
    sentence = (
        f"no room in the folder {tmp_path}/artifacts (No space left on device):"
        " make room, then try again."
    )
    assert (new, old) == (sentence, sentence)
    assert listed == f"[('old', {1 << 20})]"
    assert drafts == "[]"
    assert size == str(4 << 20)


def test_a_file_is_on_the_disk_before_it_is_visible_and_its_name_before_put_returns(
    tmp_path, monkeypatch
) -> None:
    story: list[str] = []
    replace, fsync = Path.replace, os.fsync

    def noted_fsync(descriptor: int) -> None:
        story.append("sync " + Path(f"/proc/self/fd/{descriptor}").readlink().parent.name)
        fsync(descriptor)

    def noted_replace(path: Path, target: Path) -> Path:
        story.append("rename")
        return replace(path, target)

    store = FolderStore(tmp_path / "store")
    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    asyncio.run(store.put("a/b/c", one(b"x")))
    assert story[0] == "sync drafts"
    assert story[-2:] == ["rename", "sync a"]  # of the folder a/b
    assert story[1:-2] == ["sync store", "sync files"]  # of the new names a and b


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b", "a"), ("a", "a/b/c")])
def test_a_name_cannot_be_file_and_folder(tmp_path, first, second) -> None:
    store = FolderStore(tmp_path)
    asyncio.run(store.put(first, one(b"x")))
    with pytest.raises(BadParameter, match="used otherwise"):
        asyncio.run(store.put(second, one(b"y")))
    assert keys(store) == [first]
    assert list((tmp_path / "drafts").iterdir()) == []


def test_what_an_agent_is_still_writing_beside_is_not_listed(tmp_path) -> None:
    store = FolderStore(tmp_path)
    asyncio.run(store.put("jobs/1/a.tif", one(b"x")))
    (tmp_path / "files/jobs/1/.b.tif.77.part").write_bytes(b"half")
    assert keys(store) == ["jobs/1/a.tif"]


def test_deleting_leaves_no_empty_folders(tmp_path) -> None:
    store = FolderStore(tmp_path)
    asyncio.run(store.put("a/b/c", one(b"x")))
    asyncio.run(store.put("a/d", one(b"x")))
    asyncio.run(store.delete("a/b/c"))
    assert [path.name for path in (tmp_path / "files/a").iterdir()] == ["d"]
    asyncio.run(store.delete("a/d"))
    assert (tmp_path / "files").is_dir()
    assert list((tmp_path / "files").iterdir()) == []


def test_a_folder_that_is_gone_is_said_in_words(tmp_path) -> None:
    store = FolderStore(tmp_path / "store")
    (tmp_path / "store/drafts").rmdir()
    with pytest.raises(StoreUnavailable, match="is not there"):
        asyncio.run(store.put("a", one(b"x")))


def test_a_folder_that_may_not_be_used_is_said_in_words() -> None:
    with pytest.raises((StoreRefused, StoreUnavailable), match="/proc/artifacts"):
        FolderStore(Path("/proc/artifacts"))


def test_a_file_of_a_disk_that_fails_is_unavailable_and_not_missing(tmp_path, monkeypatch) -> None:
    store = FolderStore(tmp_path)

    def failing(_descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(StoreUnavailable, match="Input/output error"):
        asyncio.run(store.put("a", one(b"x")))
    monkeypatch.undo()
    assert keys(store) == []
    assert list((tmp_path / "drafts").iterdir()) == []


def test_a_cancelled_put_waits_for_its_thread_and_leaves_nothing(tmp_path, monkeypatch) -> None:
    store = FolderStore(tmp_path)

    async def story() -> None:
        began = asyncio.Event()
        loop = asyncio.get_running_loop()
        fsync = os.fsync

        def slow(descriptor: int) -> None:
            loop.call_soon_threadsafe(began.set)
            fsync(descriptor)
            raise OSError(5, "too late")

        monkeypatch.setattr(os, "fsync", slow)
        task = asyncio.create_task(store.put("a", one(b"x")))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert list((tmp_path / "drafts").iterdir()) == []

    asyncio.run(story())


def test_clearing_takes_also_what_an_agent_left_half_written(tmp_path) -> None:
    async def story() -> None:
        store = FolderStore(tmp_path)
        attempt = tmp_path / "files" / "jobs" / "1" / "a"
        attempt.mkdir(parents=True)
        (attempt / ".map.tif.77.part").write_bytes(b"half")
        (attempt / "map.tif").write_bytes(b"whole")
        await store.clear("jobs/1/a")
        assert list((tmp_path / "files").iterdir()) == []

    asyncio.run(story())
