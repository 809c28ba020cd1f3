"""The databases of the neighbouring tests."""

from __future__ import annotations

from tests.integration.jobs.conftest import (  # noqa: F401 -- fixtures
    database_url,
    postgres_database,
)
