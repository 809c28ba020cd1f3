"""What an agent says is read as if an enemy had written it."""

from __future__ import annotations

import pytest

from quetzalcore.cluster.engine import AgentUnreachable, understood
from quetzalcore.cluster.messages import Answer, EventBatch

DEEP = b'{"events":[],"node":' + b"[" * 500 + b"]" * 500 + b"}"


@pytest.mark.parametrize("said", [b"", b"\xff", b"[]", b'{"events":[{"type":"?"}]}', DEEP])
def test_nonsense_makes_a_node_unreachable_and_stops_no_master(said: bytes) -> None:
    with pytest.raises(AgentUnreachable, match="no EventBatch"):
        understood(EventBatch, said)


def test_what_makes_sense_is_read() -> None:
    assert understood(Answer, b'{"attempts":["a"]}') == Answer(attempts=("a",))
