"""What each cloud is asked, through Apache Libcloud: blocking, and without any memory of its own."""

from __future__ import annotations
