"""Which folders of modules a guest sees."""

from __future__ import annotations

from pathlib import Path

import pytest

import quetzalcore
from quetzalcore.hypervisor.started import installed_modules


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
