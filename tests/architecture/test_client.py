from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import quetzalcore.client
from quetzalcore.gateway import openapi_document

CLIENT = Path(quetzalcore.client.__file__).parent
GENERATED = ("models.py", "operations.py")


def test_the_client_is_what_the_gateway_describes(tmp_path: Path) -> None:
    document = json.dumps(openapi_document())
    command = (sys.executable, "-m", "quetzalcore.client.generate", str(tmp_path))
    subprocess.run(command, input=document, text=True, check=True)
    for name in GENERATED:
        subprocess.run(("cp", str(CLIENT / name), str(tmp_path / f"kept_{name}")), check=True)
    ruff = Path(sys.executable).with_name("ruff")
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    subprocess.run((ruff, "format", "--quiet", "--config", pyproject, tmp_path), check=True)
    for name in GENERATED:
        made, kept = (tmp_path / name).read_text(), (tmp_path / f"kept_{name}").read_text()
        assert made == kept, f"{name} is out of date: run make client"


@pytest.mark.parametrize("heavy", ["fastapi", "sqlalchemy", "httpx", "ray"])
def test_asking_the_command_for_help_loads_no_platform(heavy: str) -> None:
    code = "import sys, quetzalcore.cli.main; print(' '.join(sys.modules))"
    out = subprocess.run((sys.executable, "-c", code), capture_output=True, text=True, check=True)
    assert heavy not in out.stdout.split()
