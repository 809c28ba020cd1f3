"""What admission promises for any queue and any cluster."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from quetzalcore.cluster.admission import AdmissionConfig, Decisions, decide
from quetzalcore.cluster.book import Book, Held
from quetzalcore.cluster.fitting import DEFAULT_VM, granted, lacking, wanted
from quetzalcore.jobs.ledger import TenantLoad, Waiting
from quetzalcore.jobs.model import Node, Resources

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

sizes = st.builds(
    Resources,
    cpus=st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0]),
    memory_mib=st.sampled_from([128, 512, 4096, 8192, 16384, 65536]),
    vgpus=st.sampled_from([0, 0, 0, 1, 2]),
    scratch_mib=st.sampled_from([0, 256, 1024, 10_000]),
)


@st.composite
def clusters(draw: st.DrawFn) -> list[Node]:
    nodes = []
    for number in range(draw(st.integers(0, 7))):
        total = draw(sizes)
        used = draw(st.sampled_from([0.0, 0.0, 0.25, 0.5, 1.0]))
        free = Resources(
            cpus=total.cpus * (1 - used),
            memory_mib=int(total.memory_mib * (1 - used)),
            vgpus=int(total.vgpus * (1 - used)),
            scratch_mib=int(total.scratch_mib * (1 - used)),
        )
        nodes.append(
            Node(
                id=f"n{number}",
                address="",
                total=total,
                free=free,
                trust=draw(st.sampled_from(["owner", "tenant", "tenant"])),
                draining=draw(st.sampled_from([False, False, False, True])),
                ready=draw(st.sampled_from([True, True, True, False])),
            )
        )
    return nodes


@st.composite
def queues(draw: st.DrawFn) -> list[Waiting]:
    return [
        Waiting(
            job_id=f"j{number:03}",
            tenant=draw(st.sampled_from("abcd")),
            priority=draw(st.integers(0, 2)),
            resources=draw(sizes),
            submitted_at=NOW - dt.timedelta(seconds=draw(st.integers(0, 100))),
        )
        for number in range(draw(st.integers(0, 25)))
    ]


configs = st.builds(
    AdmissionConfig,
    max_running=st.sampled_from([0, 1, 3]),
    settled=st.booleans(),
    owners=st.sampled_from([frozenset(), frozenset("a"), frozenset("*")]),
)
loads = st.lists(
    st.builds(
        TenantLoad,
        tenant=st.sampled_from("abcd"),
        running=st.integers(0, 5),
        cpus=st.floats(0, 50, width=16),
    ),
    unique_by=lambda load: load.tenant,
)


def fits(job: Waiting, node: Node, config: AdmissionConfig) -> bool:
    """The plain rule: room in every amount, where a small idle node scales the default VM down."""
    if not node.ready or node.draining:
        return False
    if config.needs_walls(job.tenant) and node.trust != "tenant":
        return False
    for name in ("cpus", "memory_mib", "vgpus", "scratch_mib"):
        asked, free = getattr(job.resources, name), getattr(node.free, name)
        total, default = getattr(node.total, name), getattr(DEFAULT_VM, name)
        scaled = free >= total and asked <= default
        if asked > free and not scaled:
            return False
    return True


def apply(nodes: list[Node], decisions: Decisions) -> dict[str, Node]:
    """Take every placement from its node."""
    left = {node.id: node for node in nodes}
    for placement in decisions.placements:
        node, taken = left[placement.node], placement.resources
        left[node.id] = replace(
            node,
            free=Resources(
                cpus=node.free.cpus - taken.cpus,
                memory_mib=node.free.memory_mib - taken.memory_mib,
                vgpus=node.free.vgpus - taken.vgpus,
                scratch_mib=node.free.scratch_mib - taken.scratch_mib,
            ),
        )
    return left


@settings(max_examples=60)
@given(queues(), clusters(), loads, configs)
def test_no_node_gets_more_than_it_has_and_no_job_is_placed_twice(
    jobs, nodes, loads, config
) -> None:
    decisions = decide(jobs, nodes, loads, config, NOW)
    for node in apply(nodes, decisions).values():
        assert node.free.cpus > -1e-6
        assert min(node.free.memory_mib, node.free.vgpus, node.free.scratch_mib) >= 0
    decided = [p.job_id for p in decisions.placements] + [r.job_id for r in decisions.rejections]
    assert len(decided) == len(set(decided))


@settings(max_examples=60)
@given(queues(), clusters(), loads, configs)
def test_every_placement_is_allowed(jobs, nodes, loads, config) -> None:
    by_id, where = {job.job_id: job for job in jobs}, {node.id: node for node in nodes}
    running = defaultdict(int, {load.tenant: load.running for load in loads})
    for placement in decide(jobs, nodes, loads, config, NOW).placements:
        job, node = by_id[placement.job_id], where[placement.node]
        assert fits(job, node, config)
        assert placement.resources == granted(job.resources, node)
        running[job.tenant] += 1
        assert not config.max_running or running[job.tenant] <= config.max_running


@settings(max_examples=60)
@given(queues(), clusters(), loads, configs)
def test_no_node_idles_that_has_room_for_a_job_left_waiting(jobs, nodes, loads, config) -> None:
    decisions = decide(jobs, nodes, loads, config, NOW)
    done = {p.job_id for p in decisions.placements} | {r.job_id for r in decisions.rejections}
    running = defaultdict(int, {load.tenant: load.running for load in loads})
    by_id = {job.job_id: job for job in jobs}
    for job_id in [p.job_id for p in decisions.placements] + list(decisions.reserved.values()):
        running[by_id[job_id].tenant] += 1
    for job in jobs:
        if job.job_id in done or (config.max_running and running[job.tenant] >= config.max_running):
            continue
        for node in apply(nodes, decisions).values():
            assert node.id in decisions.reserved or not fits(job, node, config), (job, node)


@settings(max_examples=60)
@given(queues(), clusters(), loads, configs, st.randoms())
def test_the_order_of_arguments_does_not_matter(jobs, nodes, loads, config, random) -> None:
    expected = decide(jobs, nodes, loads, config, NOW)
    for items in (jobs, nodes, loads):
        random.shuffle(items)
    assert decide(jobs, nodes, loads, config, NOW) == expected


@settings(max_examples=60)
@given(queues(), clusters(), loads, configs)
def test_only_what_no_node_could_ever_hold_is_rejected(jobs, nodes, loads, config) -> None:
    rejected = {r.job_id for r in decide(jobs, nodes, loads, config, NOW).rejections}
    for job in jobs:
        request = wanted(job.resources, walls=config.needs_walls(job.tenant))
        possible = any(lacking(request, node, node.total) == 0 for node in nodes)
        if job.job_id in rejected:
            assert not possible
            assert config.settled
            assert nodes


@given(st.integers(2, 6), st.integers(1, 40), st.integers(0, 3))
def test_equal_tenants_hold_equal_shares(tenants, slots, seed) -> None:
    names = [f"tenant-{(n * 7 + seed) % tenants}" for n in range(tenants)]
    jobs = [
        Waiting(
            job_id=f"{name}-{number}",
            tenant=name,
            priority=0,
            resources=Resources(cpus=1, memory_mib=1, scratch_mib=0),
            submitted_at=NOW + dt.timedelta(seconds=names.index(name)),
        )
        for name in dict.fromkeys(names)
        for number in range(slots)
    ]
    total = Resources(cpus=slots, memory_mib=10_000, scratch_mib=10_000)
    node = Node(id="n", address="", total=total, free=total, trust="tenant")
    placed = [p.job_id for p in decide(jobs, [node], [], AdmissionConfig(), NOW).placements]
    shares = [sum(job.startswith(f"{name}-") for job in placed) for name in set(names)]
    assert sum(shares) == slots
    assert max(shares) - min(shares) <= 1


def test_what_a_tenant_holds_already_counts() -> None:
    jobs = [
        Waiting(
            job_id=f"{tenant}{number}",
            tenant=tenant,
            priority=0,
            resources=Resources(cpus=1, memory_mib=1, scratch_mib=0),
            submitted_at=NOW,
        )
        for tenant in "ab"
        for number in range(10)
    ]
    total = Resources(cpus=6, memory_mib=100, scratch_mib=100)
    node = Node(id="n", address="", total=total, free=total, trust="tenant")
    load = TenantLoad(tenant="a", running=4, cpus=4.0)
    placed = [p.job_id[0] for p in decide(jobs, [node], [load], AdmissionConfig(), NOW).placements]
    assert (placed.count("a"), placed.count("b")) == (1, 5)


@settings(max_examples=40)
@given(
    st.integers(1, 4),
    st.sampled_from([2.0, 4.0]),
    st.integers(1, 9),
    st.randoms(use_true_random=False),
)
def test_a_big_job_is_not_starved_by_a_stream_of_small_ones(
    count, small_cpus, length_s, random
) -> None:
    """Simulated: every second another tenant's small jobs arrive, more than there is room for."""
    total = Resources(cpus=16, memory_mib=100_000, scratch_mib=100_000)
    nodes = [
        Node(id=f"n{n}", address="", total=total, free=total, trust="tenant") for n in range(count)
    ]
    config = AdmissionConfig(hold_after_s=10)
    big = Waiting(
        job_id="big",
        tenant="patient",
        priority=0,
        resources=Resources(cpus=16, memory_mib=1000, scratch_mib=0),
        submitted_at=NOW,
    )
    waiting: list[Waiting] = []
    running: list[tuple[int, str, Resources, str]] = []
    for second in range(120):
        now = NOW + dt.timedelta(seconds=second)
        if second == 1:
            waiting.append(replace(big, submitted_at=now))
        waiting += [
            Waiting(
                job_id=f"s{second}-{n}",
                tenant=random.choice("xyz"),
                priority=0,
                resources=Resources(cpus=small_cpus, memory_mib=10, scratch_mib=0),
                submitted_at=now,
            )
            for n in range(count * 8)
        ]
        running = [r for r in running if r[0] > second]
        free = [
            replace(
                node,
                free=replace(
                    total,
                    cpus=16 - sum(r[2].cpus for r in running if r[1] == node.id),
                    memory_mib=100_000 - sum(r[2].memory_mib for r in running if r[1] == node.id),
                ),
            )
            for node in nodes
        ]
        loads = [
            TenantLoad(tenant=t, cpus=sum(r[2].cpus for r in running if r[3] == t)) for t in "xyz"
        ]
        decisions = decide(waiting[:400], free, loads, config, now)
        placed = {p.job_id: p for p in decisions.placements}
        if "big" in placed:
            assert second <= 12 + length_s
            return
        running += [
            (second + random.randint(1, length_s), placed[w.job_id].node, w.resources, w.tenant)
            for w in waiting
            if w.job_id in placed
        ]
        waiting = [w for w in waiting if w.job_id not in placed]
    raise AssertionError("the big job never started")


@given(st.integers(1, 8), st.sampled_from([1e-300, 1e-9, 0.01, 0.25]))
def test_who_asks_for_hardly_a_core_and_much_memory_gets_no_more_than_others(
    slots: int, cpus: float
) -> None:
    """One after the other, as memory becomes free: the shares come out even."""
    greedy, modest = (Resources(cpus=c, memory_mib=4096, scratch_mib=0) for c in (cpus, 2.0))
    total = Resources(cpus=2.0 * slots, memory_mib=4096 * slots, scratch_mib=100)
    book, placed = Book(), {"greedy": 0, "modest": 0}
    waiting = [
        Waiting(
            job_id=f"{tenant}-{number}",
            tenant=tenant,
            priority=0,
            resources=resources,
            submitted_at=NOW,
        )
        for number in range(slots)
        for tenant, resources in (("greedy", greedy), ("modest", modest))
    ]
    for step in range(slots):  # room for one more each time
        size = replace(total, memory_mib=4096 * (step + 1), cpus=2.0 * (step + 1))
        node = Node(id="n", address="", total=size, free=size, trust="tenant")
        node = replace(node, free=book.free(node))
        for one in decide(waiting, [node], book.loads(), AdmissionConfig(), NOW).placements:
            (job,) = [each for each in waiting if each.job_id == one.job_id]
            waiting.remove(job)
            placed[job.tenant] += 1
            held = Held(
                attempt_id=job.job_id,
                job_id=job.job_id,
                tenant=job.tenant,
                node="n",
                resources=one.resources,
            )
            book.add(held)
    assert abs(placed["greedy"] - placed["modest"]) <= 1
