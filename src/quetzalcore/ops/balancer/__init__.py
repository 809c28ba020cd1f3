"""nginx before the gateway instances: its configuration (pure), its reloads, and the following of the book."""

from __future__ import annotations
