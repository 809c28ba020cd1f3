"""Races against peers: the same work, the same inputs, side by side in one run, as ratios."""

from __future__ import annotations
