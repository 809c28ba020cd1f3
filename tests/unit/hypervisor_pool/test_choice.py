from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import quetzalcore
from quetzalcore.hypervisor.choice import choose
from quetzalcore.hypervisor.runtime import CannotEnforce, Capabilities
from quetzalcore.hypervisor.spec import Limit, Trust
from quetzalcore.hypervisor.started import installed_modules


class _Runtime:
    def __init__(self, name: str, enforces: set[Limit], *, available: bool = True) -> None:
        self.name = name
        self.tried = 0
        missing = {} if available else {"runtime": f"{name} is not installed"}
        self._capabilities = Capabilities(
            name=name, available=available, enforces=frozenset(enforces), missing=missing
        )

    def probe(self) -> Capabilities:
        self.tried += 1
        return self._capabilities

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- only probe is used
        raise AttributeError(name)


ALL = set(Limit)


def test_the_first_runtime_that_holds_the_trust_is_chosen_and_no_further_one_is_tried() -> None:
    weak, strong, spare = _Runtime("a", set()), _Runtime("b", ALL), _Runtime("c", ALL)
    assert choose([weak, strong, spare], Trust.TENANT) is strong
    assert choose([weak, strong, spare], Trust.OWNER) is weak
    assert spare.tried == 0


def test_the_wall_clock_is_the_hypervisors_own() -> None:
    runtime = _Runtime("a", ALL - {Limit.WALL})
    assert choose([runtime], Trust.TENANT) is runtime


def test_a_refusal_names_what_each_runtime_lacks() -> None:
    runtimes = [_Runtime("a", ALL - {Limit.NETWORK}), _Runtime("b", ALL, available=False)]
    with pytest.raises(CannotEnforce, match=r"a lacks network; b: b is not installed"):
        choose(runtimes, Trust.TENANT)


def test_a_guest_sees_installed_modules_and_not_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site, linked = tmp_path / "site-packages", tmp_path / "linked"
    for folder in (site, linked):
        folder.mkdir()
    missing = str(tmp_path / "missing")
    monkeypatch.setattr(
        "sys.path", [str(tmp_path), "/usr/lib/python3", str(site), str(linked), missing]
    )
    own = Path(quetzalcore.__file__).parents[1]
    assert installed_modules() == (own, site, linked)
