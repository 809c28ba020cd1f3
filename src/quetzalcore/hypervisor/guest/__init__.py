"""The process inside a VM; what it imports before its task is what a cold start costs."""

from __future__ import annotations
