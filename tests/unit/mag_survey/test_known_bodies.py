from __future__ import annotations

import json
from pathlib import Path

import pytest

from quetzalcore.errors import BadTable, UnreadableInput
from quetzalcore.workloads.known_bodies import read_known_bodies

BODY = {
    "name": "B1", "kind": "ball", "easting_m": 500_000.0, "northing_m": 7_400_000.0,
    "strike_deg": 30.0, "length_m": 0.0, "ground_m": 600.0, "depth_to_top_m": 80.0,
    "depth_to_centre_m": 140.0, "susceptibility_si": 0.05, "magnetization_am": [0.1, 2.0, -0.4],
    "source_class": "ultramafic", "amplitude_nt": 120.0,
}  # fmt: skip


def written(folder: Path, content: object) -> Path:
    path = folder / "bodies.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_bodies_are_read_as_they_were_written(tmp_path: Path) -> None:
    (body,) = read_known_bodies(written(tmp_path, [BODY]))
    assert (body.name, body.depth_to_centre_m) == ("B1", 140.0)
    assert body.magnetization_am.tolist() == [0.1, 2.0, -0.4]


def test_what_is_no_json_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "bodies.json"
    path.write_bytes(b"\xff\x00")
    with pytest.raises(UnreadableInput, match=r"bodies\.json: it is not JSON"):
        read_known_bodies(path)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"bodies": []}, "valid array"),
        ([{**BODY, "easting_m": "here"}], r"0\.easting_m"),
        ([{k: v for k, v in BODY.items() if k != "kind"}], r"0\.kind"),
    ],
)
def test_what_is_no_list_of_bodies_is_refused_with_its_place(
    tmp_path: Path, content: object, named: str
) -> None:
    with pytest.raises(BadTable, match=named):
        read_known_bodies(written(tmp_path, content))


def test_a_flood_of_bodies_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadTable, match="10,001 bodies"):
        read_known_bodies(written(tmp_path, [BODY] * 10_001))
