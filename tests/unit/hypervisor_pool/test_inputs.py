from __future__ import annotations

from pathlib import Path

import pytest

from quetzalcore.errors import BadParameter
from quetzalcore.hypervisor.inputs import place


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    path = tmp_path / "survey"
    path.write_text("1,2,3")
    path.chmod(0o644)
    return path


def test_inputs_are_shared_only_where_the_vm_cannot_write_to_them(
    tmp_path: Path, survey: Path
) -> None:
    place({"a.csv": survey}, tmp_path / "shared", share=True)
    place({"a.csv": survey}, tmp_path / "copied", share=False)
    assert (tmp_path / "shared" / "a.csv").samefile(survey)
    assert not (tmp_path / "copied" / "a.csv").samefile(survey)
    assert (tmp_path / "copied" / "a.csv").read_text() == "1,2,3"


def test_a_private_file_is_copied_so_that_the_vm_can_read_it(tmp_path: Path, survey: Path) -> None:
    survey.chmod(0o600)
    place({"a": survey}, tmp_path / "in", share=True)
    assert (tmp_path / "in" / "a").stat().st_mode & 0o777 == 0o444
    assert survey.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "/etc/passwd", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, survey: Path, name: str) -> None:
    with pytest.raises(BadParameter, match="cannot be the name"):
        place({name: survey}, tmp_path / "in", share=False)
    assert list((tmp_path / "in").iterdir()) == []
