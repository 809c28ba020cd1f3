"""Load tests: a plan, locust in a process of its own, and a verdict."""

from __future__ import annotations
