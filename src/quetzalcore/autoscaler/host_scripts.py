"""What is run on a given host to start, stop and find its worker; and how its answer is read."""

from __future__ import annotations

import json
from dataclasses import dataclass

from quetzalcore.autoscaler.marks import Mark, mark_of, tags_of
from quetzalcore.autoscaler.model import Shape
from quetzalcore.autoscaler.provider_settings import HostsSettings

__all__ = [
    "BROKEN",
    "STALE",
    "TAKEN",
    "HostView",
    "launch_command",
    "launch_input",
    "look_command",
    "read_view",
    "terminate_command",
]

BROKEN, STALE, TAKEN = 74, 75, 76
"""How the scripts end where the worker did not start, a later leader was here, or another worker is."""

_OFFERED_PERCENT = 80  # of a host's memory, as a worker offers it by itself
_DIGITS = 15

_SHARED = """set -eu
umask 077
enter() { mkdir -p "$1" && cd "$1" && exec 9>lock && flock -w 20 9; }
fence() {
  seen=$(cat epoch 2>/dev/null || echo 0)
  if [ "$seen" -gt "$1" ]; then echo "$seen"; exit 75; fi
  echo "$1" > epoch
}
has_unit() { [ -d /run/systemd/system ] && systemctl cat -- "$1" >/dev/null 2>&1; }
begun() { set -- $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null); [ "${1:-Z}" = Z ] || echo "${20}"; }
lives() { [ -s pid ] && read -r pid at < pid && [ "$(begun "$pid")" = "$at" ]; }
forget() { rm -f mark pid worker.env; }
"""

_LAUNCH = """trap '' HUP
folder=$1 epoch=$2 unit=$3
shift 3
enter "$folder"
fence "$epoch"
if [ -s mark ]; then cat mark; exit 76; fi
IFS= read -r name
IFS= read -r mark
cat > worker.env
printf '%s\\n' "$name" "$mark" > mark.new
mv mark.new mark
if has_unit "$unit"; then
  if ! systemctl start -- "$unit" >&2; then forget; exit 74; fi
  exit 0
fi
if ! command -v "$1" >/dev/null; then echo "$1: not found" >&2; forget; exit 74; fi
( set -a; . ./worker.env; set +a; exec setsid "$@" ) </dev/null >>worker.log 2>&1 9>&- &
echo "$! $(begun $!)" > pid
sleep 0.1
if ! lives; then tail -c 500 worker.log >&2; forget; exit 74; fi
"""

_TERMINATE = """trap '' HUP
folder=$1 epoch=$2 unit=$3 name=$4 tenths=$5
enter "$folder"
fence "$epoch"
[ "$(head -n 1 mark 2>/dev/null)" = "$name" ] || exit 0
if has_unit "$unit"; then
  systemctl stop -- "$unit"
elif lives; then
  kill -TERM "-$pid" || :
  while lives && [ "$tenths" -gt 0 ]; do sleep 0.1; tenths=$((tenths - 1)); done  # dash knows no kill --
  if lives; then kill -KILL "-$pid"; fi
fi
forget
"""

_LOOK = """folder=$1 unit=$2
echo "cpus $(nproc)"
echo "memory_kib $(sed -n 's/^MemTotal: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo)"
cd "$folder" 2>/dev/null || exit 0
echo "epoch $(cat epoch 2>/dev/null || echo 0)"
[ -s mark ] || exit 0
if lives || { has_unit "$unit" && systemctl is-active --quiet -- "$unit"; }; then echo "alive 1"; fi
echo "mark $(sed -n 2p mark)"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostView:
    """What was seen of a host: its size, the highest epoch, and the worker that has it.

    A ``taken`` host without a ``mark`` runs somebody else's worker.
    """

    host: str
    shape: Shape
    epoch: int = 0
    taken: bool = False
    alive: bool = False
    mark: Mark | None = None


def launch_command(settings: HostsSettings, *, epoch: int) -> tuple[str, ...]:
    """Build the command that takes a free host and starts its worker; it reads ``launch_input``."""
    arguments = (settings.folder, str(epoch), settings.unit, *settings.command)
    return _script(_LAUNCH, *arguments)


def launch_input(mark: Mark, environment: str) -> bytes:
    """Give what the launch reads: name, mark, and the variables, which no other user of the host may see."""
    return f"{mark.order}\n{json.dumps(tags_of(mark, prefix=''))}\n{environment}".encode()


def terminate_command(settings: HostsSettings, name: str, *, epoch: int) -> tuple[str, ...]:
    """Build the command that ends a worker, if it is the one that is there."""
    tenths = str(round(10 * settings.stop_s))
    return _script(_TERMINATE, settings.folder, str(epoch), settings.unit, name, tenths)


def look_command(settings: HostsSettings) -> tuple[str, ...]:
    """Build the command that tells how a host is."""
    return _script(_LOOK, settings.folder, settings.unit)


def read_view(host: str, answer: bytes, *, cluster: str) -> HostView:
    """Read what a look gave."""
    found = dict(
        line.split(" ", 1) for line in answer.decode(errors="replace").splitlines() if " " in line
    )
    cpus = max(1, _number(found.get("cpus", "")))
    memory_mib = _number(found.get("memory_kib", "")) * _OFFERED_PERCENT // 100 // 1024
    return HostView(
        host=host,
        shape=Shape(
            name=f"host-{cpus}x{round(memory_mib / 1024)}", cpus=float(cpus), memory_mib=memory_mib
        ),
        epoch=_number(found.get("epoch", "")),
        taken="mark" in found,
        alive="alive" in found,
        mark=_mark(found.get("mark", ""), cluster),
    )


def _number(text: str) -> int:
    """Read a number that another host gave; 0 for whatever is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else 0


def _mark(text: str, cluster: str) -> Mark | None:
    try:
        tags = json.loads(text)
    except ValueError:
        return None
    return mark_of(tags, prefix="", cluster=cluster) if isinstance(tags, dict) else None


def _script(body: str, *arguments: str) -> tuple[str, ...]:
    return ("sh", "-c", _SHARED + body, "quetzal", *arguments)
