"""What a load test runs in a process of its own: locust's file and the report's template."""

from __future__ import annotations
