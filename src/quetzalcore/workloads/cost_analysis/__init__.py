"""What a survey costs, what it would detect, and whether it pays."""

from __future__ import annotations
