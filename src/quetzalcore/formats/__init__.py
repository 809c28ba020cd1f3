"""Files to value objects and back: surveys, base stations, grids."""

from __future__ import annotations

from quetzalcore.formats.options import Limits, ReadOptions, Role
from quetzalcore.formats.rejects import RejectedRow, RejectedRows
from quetzalcore.formats.surveys import ReadSurvey, read_chunks, read_survey

__all__ = [
    "Limits",
    "ReadOptions",
    "ReadSurvey",
    "RejectedRow",
    "RejectedRows",
    "Role",
    "read_chunks",
    "read_survey",
]
