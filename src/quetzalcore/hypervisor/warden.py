"""A tiny process that outlives its agent by a moment: when the agent dies, however it dies, it ends its machines."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from quetzalcore.hypervisor.spawning import start

__all__ = ["Warden", "keep_watch"]

# Reads until the agent's end of the pipe is closed, then kills and removes all groups below its arguments.
_SCRIPT = r"""
trap '' HUP INT TERM PIPE
while read -r _ <&3; do :; done
tries=0
while [ $tries -lt 300 ]; do
  left=no
  for root in "$@"; do
    for group in "$root"/*/*/ "$root"/*/; do
      [ -d "$group" ] || continue
      left=yes
      echo 1 >"$group/cgroup.kill"
      echo 0 >"$group/pids.max"
      while read -r pid; do kill -9 "$pid"; done <"$group/cgroup.procs"
      rmdir "$group"
    done
  done
  [ $left = no ] && break
  tries=$((tries + 1))
  sleep 0.02
done
for root in "$@"; do rmdir "$root"; done
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Warden:
    """The agent's end of the pipe, and the process at the other."""

    pid: int
    line: int
    console: int

    def close(self) -> None:
        """Let it finish its work, wait for it."""
        os.close(self.line)
        os.waitpid(self.pid, 0)
        os.close(self.console)


def keep_watch(roots: Iterable[Path]) -> Warden:
    """Start a warden over the groups below ``roots``; it is in none of them."""
    reading, line = os.pipe()
    try:
        started = start(
            ("/bin/sh", "-c", f"exec 2>/dev/null {_SCRIPT}", "quetzal-warden", *map(str, roots)),
            environment={"PATH": "/usr/bin:/bin"},
            descriptors={3: reading},
        )
    except OSError:
        os.close(line)
        raise
    finally:
        os.close(reading)
    return Warden(pid=started.pid, line=line, console=started.console)
