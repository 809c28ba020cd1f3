"""Which server a client command speaks to, and with which key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quetzalcore.cli.host_files import HostFiles
from quetzalcore.errors import BadParameter
from quetzalcore.settings import Settings

if TYPE_CHECKING:
    from quetzalcore.client import QuetzalClient

__all__ = ["address_and_key", "connect", "kept_key"]


def connect(settings: Settings) -> QuetzalClient:
    """Open a client: the server that is set, else the platform of this host with its administrator's key.

    Raises
    ------
    BadParameter
        If no key is set and this host keeps none.
    """
    from quetzalcore.client import QuetzalClient  # noqa: PLC0415 -- heavy

    return QuetzalClient(*address_and_key(settings))


def address_and_key(settings: Settings) -> tuple[str, str]:
    """Give the server's origin and the key to show there; this host's key is for this host alone.

    Raises
    ------
    BadParameter
        If no key is set and this host keeps none.
    """
    files = HostFiles.of(settings)
    running = files.running()
    url = settings.url or (running.url if running else f"http://{settings.host}:{settings.port}")
    key = settings.api_key.get_secret_value() or ("" if settings.url else kept_key(files))
    if not key:
        raise BadParameter(
            "there is no API key",
            hint="set QUETZAL_API_KEY, or start the platform on this host with quetzal up",
        )
    return url, key


def kept_key(files: HostFiles) -> str:
    """Give the administrator's key that the first start left in this host's data folder, or nothing."""
    if not files.credentials.is_file():
        return ""
    lines = files.credentials.read_text("utf-8").splitlines()
    found = [line.split()[-1] for line in lines if line.split() and line.split()[-1][:3] == "qz_"]
    return found[0] if found else ""
