"""The kinds of work, each with a pipeline that also runs without the platform."""

from __future__ import annotations
