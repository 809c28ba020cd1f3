"""What keeps the processes of one host running, and the socket on which it is told what to do."""

from __future__ import annotations
