"""Running the platform on hosts: supervising its processes, and the balancer before them."""

from __future__ import annotations
