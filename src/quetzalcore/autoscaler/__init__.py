"""When workers and gateway instances come and go: pure decisions, and the providers that carry them out."""

from __future__ import annotations
