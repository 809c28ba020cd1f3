"""Source classes with probabilities."""

from __future__ import annotations
