"""Which parts make up an upload, whatever crashes and races have left in the store."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from quetzalcore.jobs.artifacts import StoredFile
from quetzalcore.jobs.upload_parts import Part, part_key, part_of, parts_prefix, whole

_SIZES = st.lists(st.integers(1, 50), min_size=1, max_size=8)
_JUNK = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 80)), max_size=12)


def _part(number: int, start: int, stop: int) -> Part:
    return Part(key=f"k{number}", start=start, stop=stop)


@given(_SIZES, _JUNK, st.randoms(use_true_random=False))
def test_parts_that_were_counted_are_found_among_any_others(sizes, junk, order) -> None:
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    parts = [
        _part(n, start, start + size)
        for n, (start, size) in enumerate(zip(starts, sizes, strict=True))
    ]
    others = [_part(100 + n, start, start + size) for n, (start, size) in enumerate(junk)]
    mixed = [*parts, *others]
    order.shuffle(mixed)
    chain = whole(mixed, sum(sizes))
    assert chain is not None
    assert chain[0].start == 0
    assert chain[-1].stop == sum(sizes)
    assert all(one.stop == two.start for one, two in itertools.pairwise(chain))


@given(_JUNK, st.integers(0, 300))
def test_a_gap_is_never_closed(junk, size) -> None:
    parts = [_part(n, start, start + length) for n, (start, length) in enumerate(junk)]
    chain = whole(parts, size)
    if chain is not None:
        assert sum(part.stop - part.start for part in chain) == size


@given(st.integers(0, 10**15), st.integers(0, 10**9))
def test_a_key_says_where_its_part_belongs(start, size) -> None:
    key = part_key(parts_prefix("acme", "01abc"), start=start, tag="01xyz")
    part = part_of(StoredFile(key=key, size=size))
    assert part == Part(key=key, start=start, stop=start + size)
    assert part_of(StoredFile(key="tenants/acme/uploads/01abc", size=size)) is None
