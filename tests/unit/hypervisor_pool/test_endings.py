from __future__ import annotations

import pytest

from quetzalcore.hypervisor.endings import Cut, Ending, failure_of
from quetzalcore.hypervisor.protocol import Failed, Malformed, Result
from quetzalcore.hypervisor.runtime import Stats
from quetzalcore.hypervisor.spec import VMSpec
from quetzalcore.jobs.model import Failure, Remedy

SPEC = VMSpec(memory_mib=512, pids=64, wall_s=30)
PLAIN = Stats(cpu_s=1.0, peak_memory_mib=10.0, pids=1)
OOM = Stats(cpu_s=1.0, peak_memory_mib=512.0, pids=1, out_of_memory=True)
FULL = Stats(cpu_s=1.0, peak_memory_mib=10.0, pids=64, out_of_pids=True)
DEFECT = Failed(failure=Failure(code="defect", title="t", detail="ZeroDivisionError"))
MISTAKE = Failed(failure=Failure(code="bad_table", title="t", detail="no tmi", remedy=Remedy.USER))


@pytest.mark.parametrize(
    ("ending", "code", "remedy"),
    [
        (Ending(said=None, status=-9, stats=OOM), "out_of_memory", Remedy.RETRY),
        (Ending(said=DEFECT, status=0, stats=OOM), "out_of_memory", Remedy.RETRY),
        (Ending(said=MISTAKE, status=0, stats=OOM), "bad_table", Remedy.USER),
        (Ending(said=None, status=-9, stats=PLAIN), "vm_lost", Remedy.RETRY),
        (Ending(said=None, status=137, stats=PLAIN), "vm_lost", Remedy.RETRY),
        (Ending(said=None, status=-11, stats=PLAIN), "defect", Remedy.NONE),
        (Ending(said=None, status=0, stats=PLAIN), "defect", Remedy.NONE),
        (Ending(said=None, status=None, stats=PLAIN), "defect", Remedy.NONE),
        (Ending(said=DEFECT, status=0, stats=FULL), "too_many_processes", Remedy.USER),
        (Ending(said=None, status=None, stats=FULL, cut=Cut.WALL), "too_many_processes", Remedy.USER),
        (Ending(said=None, status=None, stats=PLAIN, cut=Cut.WALL), "wall_limit", Remedy.USER),
        (Ending(said=DEFECT, status=0, stats=PLAIN, cut=Cut.WALL), "wall_limit", Remedy.USER),
        (Ending(said=Malformed(reason="x"), status=None, stats=PLAIN), "defect", Remedy.NONE),
        (Ending(said=MISTAKE, status=0, stats=PLAIN), "bad_table", Remedy.USER),
        (Ending(said=DEFECT, status=0, stats=OOM, cut=Cut.KILLED), "cancelled", Remedy.NONE),
    ],
)  # fmt: skip
def test_every_ending_has_its_code_and_its_remedy(
    ending: Ending, code: str, remedy: Remedy
) -> None:
    failure = failure_of(ending, SPEC)
    assert failure is not None
    assert (failure.code, failure.remedy) == (code, remedy)
    assert failure.title
    assert failure.detail


@pytest.mark.parametrize("stats", [PLAIN, OOM, FULL])
def test_a_result_that_came_is_a_success_whatever_else_happened(stats: Stats) -> None:
    assert failure_of(Ending(said=Result(value={}), status=0, stats=stats), SPEC) is None


def test_the_sentence_names_the_limit() -> None:
    for stats, cut, words in (
        (OOM, Cut.NOT, "512 MiB"), (FULL, Cut.NOT, "64 processes"), (PLAIN, Cut.WALL, "30 s"),
    ):  # fmt: skip
        failure = failure_of(Ending(said=None, status=-9, stats=stats, cut=cut), SPEC)
        assert failure is not None
        assert words in failure.detail


def test_an_unknown_signal_is_told_by_its_number() -> None:
    failure = failure_of(Ending(said=None, status=-63, stats=PLAIN), SPEC)
    assert failure is not None
    assert "63" in failure.detail
