"""What the command line makes of settings and sockets: where an instance is found, and how nginx is to serve."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from quetzalcore.cli.balancer import balancer_options
from quetzalcore.cli.host_files import HostFiles
from quetzalcore.cli.serving import _reachable
from quetzalcore.cluster.addresses import own_addresses
from quetzalcore.errors import BadParameter
from quetzalcore.gateway import listen
from quetzalcore.ops.balancer.options import BalancerOptions
from quetzalcore.settings import Settings


@pytest.mark.parametrize(
    ("host", "found"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", own_addresses()[0])],  # noqa: S104 -- closed at once
)
def test_a_listener_for_all_addresses_is_found_at_the_first_of_the_host(host, found) -> None:
    with listen(host, 0) as listener:
        assert _reachable(listener) == f"http://{found}:{listener.getsockname()[1]}"


def _options(folder: Path, *listen: str, certbot: str = "", **settings: Any) -> BalancerOptions:  # noqa: ANN401 -- fields
    made = Settings(data_dir=folder, **settings)
    return asyncio.run(
        balancer_options(made, HostFiles.of(made), listen or ("127.0.0.1:80",), certbot=certbot)
    )


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="qn-", dir="/tmp") as short:
        yield Path(short)


def test_names_are_looked_up_and_the_secret_is_kept(folder) -> None:
    first = _options(folder, "localhost:8080", max_upload_mib=7)
    assert first.listen[0] in {"127.0.0.1:8080", "[::1]:8080"}
    assert first.limits.upload_mib == 7
    assert len(first.limits.exempt_secret) == 64
    assert _options(folder).limits.exempt_secret == first.limits.exempt_secret


def test_tls_asks_for_a_port_and_a_certificate(folder) -> None:
    with pytest.raises(BadParameter, match="needs a port"):
        _options(folder, certbot="a.example")
    with pytest.raises(BadParameter, match="needs a certificate"):
        _options(folder, tls_port=443)
    given: dict[str, Any] = {"tls_port": 443, "tls_certificate": "/c.pem", "tls_key": "/k.pem"}
    tls = _options(folder, **given).tls
    assert tls is not None
    assert (tls.listen, tls.certificate) == (("127.0.0.1:443",), Path("/c.pem"))
    kept = _options(folder, tls_port=443, certbot="a.example").tls
    assert kept is not None
    assert str(kept.certificate) == "/etc/letsencrypt/live/a.example/fullchain.pem"


def test_an_address_that_is_none_is_told(folder) -> None:
    with pytest.raises(BadParameter, match="cannot be listened on"):
        _options(folder, "nowhere")
