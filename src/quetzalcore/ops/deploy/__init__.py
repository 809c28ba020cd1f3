"""Gateways and workers on hosts reached over SSH: what is there, what is needed, and the steps between."""

from __future__ import annotations
