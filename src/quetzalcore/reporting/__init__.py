"""Maps and the report, from value objects."""

from __future__ import annotations
