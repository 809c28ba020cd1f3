"""Real servers for tests: started on free ports, ended by pid."""

from __future__ import annotations
