"""The typed HTTP client.

::

    from quetzalcore.client import QuetzalClient

    with QuetzalClient("http://127.0.0.1:8000", key) as client:
        upload = client.upload(Path("survey.csv"))
        ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quetzalcore.client.problems import ServerProblem, ServerUnreachable
    from quetzalcore.client.session import QuetzalClient
    from quetzalcore.client.sse import JobEvent

__all__ = ["JobEvent", "QuetzalClient", "ServerProblem", "ServerUnreachable"]

_HOMES = {
    "JobEvent": "sse",
    "QuetzalClient": "session",
    "ServerProblem": "problems",
    "ServerUnreachable": "problems",
}


def __getattr__(name: str) -> object:
    """Load a part of the client when it is first asked for: httpx alone takes 0.1 s."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 -- with its only use

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
