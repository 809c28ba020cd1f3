"""Where jobs run: the master that admits them, the engines that reach nodes, the agent on each node."""

from __future__ import annotations
