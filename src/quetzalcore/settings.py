"""One frozen settings object."""

from __future__ import annotations
