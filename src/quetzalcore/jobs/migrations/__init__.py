"""The history of the ledger's tables."""

from __future__ import annotations
