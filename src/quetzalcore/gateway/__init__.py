"""HTTP to the domain and back; nothing else."""

from __future__ import annotations
