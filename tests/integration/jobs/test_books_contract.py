"""What the books of nodes, leadership and uploads promise, in memory, SQLite and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.integration.jobs.books import NOW, Books, Play, ask, later, play_on

from quetzalcore.jobs.ledger import Conflict, NotFound
from quetzalcore.jobs.model import InputFile, Node, Resources


def _node(name: str) -> Node:
    return Node(
        id=name,
        address=f"{name}:1",
        total=Resources(cpus=8),
        free=Resources(cpus=2.5),
        trust="tenant",
        runtime="oci",
        active_vms=2,
        warm_vms=1,
        enforces=("cpu", "memory"),
        seen_at=NOW,
    )


def test_nodes_are_those_of_the_last_report(play: Play) -> None:
    async def scenario(books: Books) -> None:
        assert await books.nodes.list() == ()
        await books.nodes.put([_node("b"), _node("a")], epoch=books.epoch)
        assert await books.nodes.list() == (_node("a"), _node("b"))
        busy = replace(_node("b"), active_vms=3, ready=False, seen_at=None)
        await books.nodes.put([busy], epoch=books.epoch)
        assert await books.nodes.list() == (busy,)
        await books.nodes.put([], epoch=books.epoch)
        assert await books.nodes.list() == ()

    play(scenario)


def test_a_drain_outlives_the_nodes_own_reports(play: Play) -> None:
    async def scenario(books: Books) -> None:
        await books.nodes.put([_node("a"), _node("b")], epoch=books.epoch)
        await books.nodes.drain("a", draining=True)
        await books.nodes.put([_node("a"), _node("b")], epoch=books.epoch)
        assert [node.draining for node in await books.nodes.list()] == [True, False]
        await books.nodes.drain("a", draining=False)
        assert [node.draining for node in await books.nodes.list()] == [False, False]
        with pytest.raises(NotFound):
            await books.nodes.drain("c", draining=True)

    play(scenario)


def test_one_leads_until_its_lease_ends_and_epochs_only_rise(play: Play) -> None:
    async def scenario(books: Books) -> None:
        acquire = books.leadership.acquire
        assert await acquire("m1", lease_s=10, now=NOW) == books.epoch
        assert await acquire("m2", lease_s=10, now=later(9)) is None
        assert await acquire("m1", lease_s=10, now=later(9)) == books.epoch, "renewed"
        assert await acquire("m2", lease_s=10, now=later(18)) is None
        taken = await acquire("m2", lease_s=10, now=later(19))
        assert taken == books.epoch + 1
        assert await acquire("m1", lease_s=10, now=later(20)) is None
        await books.leadership.release("m1")
        assert await acquire("m1", lease_s=10, now=later(20)) is None, "it had nothing to give"
        await books.leadership.release("m2")
        assert await acquire("m1", lease_s=10, now=later(20)) == taken + 1

    play(scenario)


def test_an_upload_grows_by_compared_offsets(play: Play) -> None:
    async def scenario(books: Books) -> None:
        book = books.uploads
        upload = await book.create(
            tenant="acme", user="ada", filename="s.csv", declared_size=30, now=NOW
        )
        assert await book.get(upload.id, tenant="acme") == upload
        assert (upload.received, upload.complete) == (0, False)
        grown = await book.advance(upload.id, tenant="acme", offset=0, received=20, now=later(1))
        assert (grown.received, grown.touched_at) == (20, later(1))
        with pytest.raises(Conflict):
            await book.advance(upload.id, tenant="acme", offset=0, received=10, now=later(2))
        finish = book.finish
        done = await finish(upload.id, tenant="acme", sha256="ab", key="k", now=later(3))
        assert (done.complete, done.sha256, done.key) == (True, "ab", "k")
        assert await finish(upload.id, tenant="acme", sha256="ab", key="k", now=later(4)) == done
        with pytest.raises(Conflict):
            await finish(upload.id, tenant="acme", sha256="cd", key="k2", now=later(4))
        with pytest.raises(Conflict):
            await book.advance(upload.id, tenant="acme", offset=20, received=30, now=later(4))

    play(scenario)


def test_an_upload_is_its_tenants_own(play: Play) -> None:
    async def scenario(books: Books) -> None:
        book = books.uploads
        upload = await book.create(
            tenant="acme", user="ada", filename="s", declared_size=None, now=NOW
        )
        for forbidden in (
            book.get(upload.id, tenant="globex"),
            book.advance(upload.id, tenant="globex", offset=0, received=1, now=NOW),
            book.finish(upload.id, tenant="globex", sha256="", key="k", now=NOW),
        ):
            with pytest.raises(NotFound):
                await forbidden
        assert await book.get(upload.id, tenant="acme") == upload

    play(scenario)


def test_uploads_that_no_job_reads_are_abandoned_after_a_while(play: Play) -> None:
    async def scenario(books: Books) -> None:
        book = books.uploads
        made = [
            await book.create(
                tenant="acme", user="ada", filename=f"{i}", declared_size=1, now=later(i)
            )
            for i in range(4)
        ]
        for upload in made[:2]:
            key = f"tenants/acme/uploads/{upload.id}"
            await book.finish(upload.id, tenant="acme", sha256="ab", key=key, now=later(5))
        file = InputFile(name="s", key=f"tenants/acme/uploads/{made[0].id}", size=1, sha256="ab")
        job, _ = await books.ledger.submit(ask(inputs=(file,)), now=later(6))
        old = await book.abandoned(before=later(10), limit=10)
        assert [upload.filename for upload in old] == ["2", "3", "1"]
        assert [u.filename for u in await book.abandoned(before=later(10), limit=1)] == ["2"]
        assert [u.filename for u in await book.abandoned(before=later(3), limit=10)] == ["2"]
        await books.ledger.cancel(job.id, now=later(7))
        forgotten = await books.ledger.forget(before=later(8), limit=9, epoch=books.epoch)
        assert (forgotten.jobs, forgotten.keys) == (1, ())
        freed = await book.abandoned(before=later(10), limit=10)
        assert {upload.filename for upload in freed} == {"0", "1", "2", "3"}
        await book.delete(made[0].id)
        await book.delete(made[0].id)
        assert len(await book.abandoned(before=later(10), limit=10)) == 3

    play(scenario)


def test_everything_is_there_after_closing_and_opening_again(database_url: str) -> None:
    async def write(books: Books) -> str:
        await books.nodes.put([_node("a")], epoch=books.epoch)
        return (await books.submit()).id

    async def read(books: Books) -> tuple[str, str]:
        (waiting,) = await books.ledger.waiting(limit=5)
        (node,) = await books.nodes.list()
        return waiting.job_id, node.id

    job_id = play_on(database_url, write)
    assert play_on(database_url, read) == (job_id, "a")
