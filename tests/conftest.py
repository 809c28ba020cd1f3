"""What every test may use: where the real surveys are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.servers.postgres import postgres_url  # noqa: F401 -- a fixture
from tests.servers.redis import redis_url  # noqa: F401 -- a fixture
from tests.servers.s3 import s3_server  # noqa: F401 -- a fixture
from tests.servers.third_party import misbehaving_kinds  # noqa: F401 -- a fixture

# How long an example takes says more about the machine's load than about us: benchmarks/ times things.
settings.register_profile("untimed", deadline=None, suppress_health_check=(HealthCheck.too_slow,))
settings.load_profile("untimed")

_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


_LONGEST_FIRST = ("tests/acceptance/", "tests/integration/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the kinds of tests that take long, so that no worker ends with one while others idle."""
    items.sort(key=lambda item: _rank(item.nodeid))


def _rank(nodeid: str) -> int:
    kinds = [rank for rank, kind in enumerate(_LONGEST_FIRST) if nodeid.startswith(kind)]
    return kinds[0] if kinds else len(_LONGEST_FIRST)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Give the folder of real surveys, or skip."""
    if not _DATA.is_dir():
        pytest.skip(f"the real surveys are not at {_DATA}")
    return _DATA


@pytest.fixture(scope="session")
def osborne_file(shared_data: Path) -> Path:
    """Give the Osborne survey's file."""
    return shared_data / "osborne" / "osborne-magnetic.csv.xz"
