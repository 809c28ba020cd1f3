"""Whatever stands outside, a Ray process is told only what we say; whatever the folder, its sockets fit."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from quetzalcore.cluster.joining import gateway_url
from quetzalcore.cluster.ray_access import RaySecurity, client_environment, restart_delay_s
from quetzalcore.cluster.ray_node import ray_folder

NAMES = st.text(st.characters(categories=["Lu", "Ll", "Nd"]), min_size=1, max_size=12)
SECURITY = RaySecurity(token_file=Path("/k/token"))
OURS = client_environment(SECURITY, {})


@given(st.dictionaries(st.one_of(NAMES, NAMES.map("RAY_{}".format)), st.text()))
def test_nothing_of_another_ray_reaches_ours_and_nothing_else_is_lost(outside) -> None:
    environment = client_environment(SECURITY, outside)
    assert {n: v for n, v in environment.items() if n.startswith("RAY_")} == OURS
    kept = {n: v for n, v in outside.items() if not n.startswith("RAY_")}
    assert kept.items() <= environment.items()


@given(st.lists(NAMES, min_size=1, max_size=20))
def test_rays_sockets_fit_whatever_the_data_folder(parts) -> None:
    folder = ray_folder(Path("/", *parts))
    assert len(str(folder)) + 67 <= 107
    assert folder.is_absolute()


@given(st.integers(min_value=0, max_value=10**6))
def test_a_pause_is_never_shorter_after_one_more_failure(failures) -> None:
    assert 0 <= restart_delay_s(failures) <= restart_delay_s(failures + 1) <= 10


@given(st.from_regex(r"[a-z]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True), st.integers(1, 65535))
def test_a_gateway_is_found_the_same_way_by_place_and_by_url(host, port) -> None:
    url = gateway_url(f"{host}:{port}")
    assert url == f"http://{host}:{port}"
    assert gateway_url(url) == url
    assert gateway_url(host) == f"http://{host}:8000"
