"""A look into an uploaded file."""

from __future__ import annotations
