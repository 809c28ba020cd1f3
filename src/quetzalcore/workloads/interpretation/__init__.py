"""Anomalies of scattered values or of a grid: what ``discriminate`` and ``target_drills`` share."""

from __future__ import annotations
