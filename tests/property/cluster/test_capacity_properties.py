"""The search of the tree is compared with a look at every node in order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from quetzalcore.cluster.fitting import Capacity, granted, lacking, wanted
from quetzalcore.jobs.model import Node, Resources

sizes = st.builds(
    Resources,
    cpus=st.sampled_from([0.5, 1.0, 4.0, 8.0, 16.0]),
    memory_mib=st.sampled_from([128, 4096, 8192, 65536]),
    vgpus=st.sampled_from([0, 0, 0, 1]),
    scratch_mib=st.sampled_from([0, 1024, 10_000]),
)


@settings(max_examples=60, deadline=None)
@given(
    totals=st.lists(sizes, max_size=9),
    requests=st.lists(st.tuples(sizes, st.sampled_from([True] * 5 + [False])), max_size=40),
)
def test_a_request_finds_the_first_node_that_fits_whatever_was_taken_before(
    totals, requests
) -> None:
    nodes = [
        Node(id=f"n{number}", address="", total=total, free=total, trust="tenant")
        for number, total in enumerate(totals)
    ]
    capacity = Capacity(nodes)
    closed = set()
    for resources, takes in requests:
        request = wanted(resources, walls=True)
        first = next(
            (
                place
                for place, node in enumerate(capacity.nodes)
                if place not in closed and lacking(request, node, capacity.free[place]) == 0.0
            ),
            None,
        )
        assert capacity.find(request) == first
        if first is None:
            continue
        if takes:
            capacity.take(first, granted(resources, capacity.nodes[first]))
        else:
            capacity.close(first)
            closed.add(first)
