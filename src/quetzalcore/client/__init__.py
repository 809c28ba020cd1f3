"""The typed HTTP client."""

from __future__ import annotations
