"""The command line: reads the environment and wires everything together."""

from __future__ import annotations
