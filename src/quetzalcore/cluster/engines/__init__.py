"""Ways to reach agents: one module per engine."""

from __future__ import annotations
