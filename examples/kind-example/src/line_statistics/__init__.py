"""A job kind for QuetzalCore: the spread of every line of a survey."""

from __future__ import annotations
