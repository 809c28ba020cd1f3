"""The main field at given points and dates."""

from __future__ import annotations
