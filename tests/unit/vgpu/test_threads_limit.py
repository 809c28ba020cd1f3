from __future__ import annotations

from quetzalcore.vgpu import limit_workers, map_threads, worker_count


def test_work_on_threads_sees_the_callers_limit() -> None:
    with limit_workers(3):
        assert map_threads(lambda _: worker_count(), range(4)) == [3, 3, 3, 3]
