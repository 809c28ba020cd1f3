"""The shell that runs on a host: POSIX, values as arguments, secrets by standard input.

Each script may be run again after it was cut off: what others see appears by renaming only.
"""

from __future__ import annotations

__all__ = [
    "ADOPT",
    "AS_ROOT",
    "FINISH",
    "INSTALL_NGINX",
    "KEEP",
    "LINK",
    "LOCK",
    "LOOK",
    "MARK",
    "PROBE",
    "PUT",
    "READY",
    "RELEASE",
    "RESTART",
    "RESTORE",
    "SHARED",
    "SNAPSHOT",
    "STOP",
    "UNDO",
]

AS_ROOT = """[ "$(id -u)" = 0 ] || set -- sudo -n -- "$@"
exec "$@"
"""

SHARED = """set -eu
export LC_ALL=C
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
umask 022
opt=$1 manager=$2
shift 2
has_systemd() { [ "$manager" = systemd ] && [ -d /run/systemd/system ]; }
begun() { set -- $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null); [ "${1:-Z}" = Z ] || echo "${20}"; }
lives() { [ -s "$opt/run/$1.pid" ] && read -r pid at < "$opt/run/$1.pid" && [ "$(begun "$pid")" = "$at" ]; }
is_active() { if has_systemd; then systemctl is-active --quiet -- "$1"; else lives "$1"; fi; }
stop() {  # name seconds
  if has_systemd; then systemctl stop -- "$1"; return; fi
  if lives "$1"; then
    kill -TERM "$pid" 2>/dev/null || :
    tenths=$(($2 * 10))
    while lives "$1" && [ "$tenths" -gt 0 ]; do sleep 0.1; tenths=$((tenths - 1)); done
    if lives "$1"; then kill -KILL "-$pid"; fi
    while lives "$1"; do sleep 0.1; done
  fi
  rm -f "$opt/run/$1.pid"
}
restart() {  # name seconds url-or-empty probe
  if has_systemd; then
    systemctl reset-failed -- "$1" 2>/dev/null || :
    systemctl restart -- "$1" 2>/dev/null || unwell "$1" "it does not start"
    return
  fi
  stop "$1" "$2"
  if [ -n "$3" ] && "$opt/current/bin/python" -I -c "$4" "$3" 0 2>/dev/null; then
    echo "something else answers at $3" >&2  # and would be taken for ours
    exit 74
  fi
  mkdir -p -m 700 "$opt/run" "$opt/logs"
  : > "$opt/run/$1.ends"
  setsid sh "$opt/keep" "$opt/run/$1.ends" "$opt/services/$1" </dev/null >>"$opt/logs/$1.log" 2>&1 &
  echo "$! $(begun $!)" > "$opt/run/$1.new"
  mv "$opt/run/$1.new" "$opt/run/$1.pid"
}
ready() {  # name url-or-empty seconds settle probe
  if [ -n "$2" ]; then "$opt/current/bin/python" -I -c "$5" "$2" "$3" || unwell "$1" "it is not ready"; fi
  sleep "$4"
  is_active "$1" || unwell "$1" "it does not run"
  if has_systemd; then
    [ "$(systemctl show --property=NRestarts --value -- "$1")" = 0 ] || unwell "$1" "it ends and is started again"
  else
    [ ! -s "$opt/run/$1.ends" ] || unwell "$1" "it ends and is started again"
  fi
}
unwell() {  # name why
  if has_systemd; then
    journalctl --no-pager -q -n 5 -o cat -u "$1" >&2 || :
  else
    tail -n 5 "$opt/logs/$1.log" >&2 || :
  fi
  echo "$1: $2" >&2
  exit 74
}
ran() { [ -f "$opt/undo/active" ] && grep -qxF -e "$1" "$opt/undo/active"; }
point() {  # target link
  rm -f "$2.new"
  ln -s "$1" "$2.new"
  mv -T "$2.new" "$2"
}
"""

# A role's keeper where there is no systemd: kept as a file, for it outlives the command that starts it.
KEEP = """#!/bin/sh
# keep ENDS SERVICE: run a service, and again where it fails, until told to end.
umask 077
ending= child=
trap 'ending=1; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM INT
while [ -z "$ending" ]; do
  ( trap - TERM INT; exec sh "$2" ) &
  child=$!
  [ -z "$ending" ] || kill -TERM "$child" 2>/dev/null
  while :; do
    wait "$child"
    status=$?
    kill -0 "$child" 2>/dev/null || break
  done
  child=
  [ "$status" -ne 0 ] || break
  if [ -z "$ending" ]; then
    echo "$status" >> "$1"
    sleep 1
  fi
done
"""

LOCK = """mkdir -p "$opt"
exec 9>> "$opt/lock"
flock -n 9 || exit 75
echo locked
cat > /dev/null
"""

# python files... -- services...
LOOK = """python=$1
shift
echo "system $(uname -s)"
echo "machine $(uname -m)"
"$python" -c 'import sys; print("python %d.%d.%d" % sys.version_info[:3])' 2>/dev/null || :
"$python" -c 'import ensurepip, venv; print("program venv")' 2>/dev/null || :
for program in flock setsid sha256sum nginx apt-get dnf; do
  if command -v "$program" >/dev/null; then echo "program $program"; fi
done
if has_systemd; then
  echo "systemd 1"
  if systemctl is-active --quiet nginx.service; then echo "system_nginx 1"; fi
fi
if id quetzalcore >/dev/null 2>&1; then echo "has_user 1"; fi
if [ -L "$opt/current" ]; then echo "current $(basename "$(readlink "$opt/current")")"; fi
if [ -e "$opt/bin" ] && [ ! -L "$opt/bin" ]; then echo "foreign $opt/bin"; fi
if [ -d "$opt/undo" ]; then echo "interrupted 1"; fi
ls -t "$opt/releases" 2>/dev/null | while read -r name; do
  if [ -f "$opt/releases/$name/.complete" ]; then echo "release $name"; fi
done
for mark in "$opt"/marks/*; do
  if [ -f "$mark" ]; then echo "mark ${mark##*/} $(cat "$mark")"; fi
done
while [ "$1" != -- ]; do
  if [ -f "$1" ]; then echo "file $(sha256sum < "$1" | cut -c 1-64):$(stat -c %a "$1") $1"; fi
  shift
done
shift
if has_systemd; then
  systemctl list-units --plain --no-legend --no-pager --state=active,activating,reloading 'quetzalcore*' |
    while read -r name rest; do echo "active ${name%.service}"; done
  for name do
    if systemctl is-enabled --quiet -- "$name" 2>/dev/null; then echo "enabled $name"; fi
  done
else
  for name in "$opt"/run/*.pid; do
    name=${name##*/}
    if lives "${name%.pid}"; then echo "active ${name%.pid}"; fi
  done
fi
"""

# path mode digest; the content by standard input: what was cut off does not match
PUT = """mkdir -p "$(dirname "$1")"
( umask 077; cat > "$1.new" )
echo "$3  $1.new" | sha256sum --check --status || { rm -f "$1.new"; echo "$1 did not arrive whole" >&2; exit 1; }
chmod "$2" "$1.new"
mv -f "$1.new" "$1"
"""

# release python packages wheel pip's-arguments...
RELEASE = """release=$opt/releases/$1 python=$2 packages=$3 wheel=$4
shift 4
mkdir -p "$opt/releases"
exec 8> "$opt/building"
flock -w 600 8
if [ -f "$release/.complete" ]; then exit 0; fi
rm -rf "$release"
if "$python" -c 'import pip; assert tuple(map(int, pip.__version__.split(".")[:2])) >= (22, 3)' 2>/dev/null; then
  "$python" -m venv --without-pip "$release"
  set -- "$python" -m pip --python "$release/bin/python" install "$@"
else
  "$python" -m venv "$release"
  set -- "$release/bin/python" -m pip install "$@"
fi
if [ -n "$packages" ]; then
  for site in "$release"/lib/python3*/site-packages; do printf '%s\\n' "$packages" > "$site/host-packages.pth"; done
fi
"$@"
"$release/bin/quetzal" --version
touch "$release/.complete"
rm -f "$wheel"
"""

INSTALL_NGINX = """if command -v apt-get >/dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light
else
  dnf install -y -q nginx
fi
if has_systemd; then systemctl disable --quiet --now nginx.service; fi  # ours runs its own
"""

# active services... -- files...; what an earlier, interrupted run has kept stays: that was the last good state
SNAPSHOT = """if [ ! -d "$opt/undo" ]; then
  rm -rf "$opt/undo.new"
  mkdir -m 700 "$opt/undo.new" "$opt/undo.new/files"
  readlink "$opt/current" > "$opt/undo.new/current" 2>/dev/null || :
  while [ "$1" != -- ]; do printf '%s\\n' "$1" >> "$opt/undo.new/active"; shift; done
  mv -T "$opt/undo.new" "$opt/undo"
fi
while [ "$1" != -- ]; do shift; done
shift
for path do
  kept=$opt/undo/files/$(printf %s "$path" | sha256sum | cut -c 1-16)
  if [ -e "$kept.path" ]; then continue; fi
  if [ -f "$path" ]; then cp -p "$path" "$kept"; fi
  printf '%s\\n' "$path" > "$kept.new"
  mv "$kept.new" "$kept.path"
done
"""

# release
LINK = """point "releases/$1" "$opt/current"
if [ ! -L "$opt/bin" ]; then point current/bin "$opt/bin"; fi
"""

# name seconds url-or-empty probe
RESTART = """rm -f "$opt/marks/$1"
restart "$@"
"""

# name seconds
STOP = """rm -f "$opt/marks/$1"
stop "$1" "$2"
if has_systemd; then systemctl disable --quiet -- "$1"; fi
"""

# Asks until there is a good answer, or the time is over. It uses no proxy, whatever the host is told.
PROBE = """
import http.client, sys, time, urllib.parse
url, end = urllib.parse.urlsplit(sys.argv[1]), time.monotonic() + float(sys.argv[2])
while True:
    try:
        line = http.client.HTTPConnection(url.netloc, timeout=5)
        line.request("GET", url.path)
        status = line.getresponse().status
        if status < 400:  # nginx may send everybody on to TLS
            break
        said = f"it says {status}"
    except (OSError, http.client.HTTPException) as error:
        said = str(error)
    if time.monotonic() > end:
        sys.exit(f"{url.geturl()}: {said}")
    time.sleep(0.1)
"""

READY = 'ready "$@"\n'

# name mark
MARK = """mkdir -p "$opt/marks"
printf '%s\\n' "$2" > "$opt/mark.new"
mv "$opt/mark.new" "$opt/marks/$1"
"""

# enabled or started units...
ADOPT = """systemctl enable --quiet -- "$@"
systemctl start -- "$@"
"""

# (service seconds)...: what did not run before ends while its unit is still there
RESTORE = """[ -d "$opt/undo" ] || exit 0
while [ "$#" -gt 0 ]; do
  if ! ran "$1"; then
    rm -f "$opt/marks/$1"
    stop "$1" "$2"
    if has_systemd; then
      systemctl disable --quiet -- "$1"
      systemctl reset-failed -- "$1" 2>/dev/null || :
    fi
  fi
  shift 2
done
for name in "$opt"/undo/files/*.path; do
  [ -e "$name" ] || continue
  path=$(cat "$name")
  if [ -e "${name%.path}" ]; then
    cp -p "${name%.path}" "$path.new"
    mv -f "$path.new" "$path"
  else
    rm -f "$path"
  fi
done
if [ -s "$opt/undo/current" ]; then
  point "$(cat "$opt/undo/current")" "$opt/current"
else
  rm -f "$opt/current"
fi
if has_systemd; then systemctl daemon-reload; fi
"""

# name seconds url-or-empty patience settle probe mark-or-empty
UNDO = """if [ -n "$7" ] && [ "$(cat "$opt/marks/$1" 2>/dev/null)" = "$7" ]; then exit 0; fi
if ran "$1"; then
  rm -f "$opt/marks/$1"
  restart "$1" "$2" "$3" "$6"
  name=$1
  shift 2
  ready "$name" "$@"
fi
"""

# releases that go...
FINISH = """for release do rm -rf "$opt/releases/$release"; done
for release in "$opt"/releases/*; do
  if [ ! -f "$release/.complete" ]; then rm -rf "$release"; fi  # cut off
done
rm -rf "$opt/undo" "$opt/incoming"
"""
