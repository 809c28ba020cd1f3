"""Ranked drill targets of an anomaly field."""

from __future__ import annotations
