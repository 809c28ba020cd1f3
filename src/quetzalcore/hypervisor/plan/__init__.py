"""What to ask of a runtime, as pure data: environment, limits, mounts, walls, command lines."""

from __future__ import annotations
