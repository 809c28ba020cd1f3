"""The main job: a magnetic survey in, grids, depths, targets and a report out."""

from __future__ import annotations
