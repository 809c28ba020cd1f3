"""Adapters to what isolates a VM; none knows another."""

from __future__ import annotations
