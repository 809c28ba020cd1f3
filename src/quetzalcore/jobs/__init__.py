"""Jobs: what they are, how their state changes, and where they and their files are kept."""

from __future__ import annotations
