"""A child that serves no more than its name, for supervisors under test: it gets ready, drains and ends as told."""

from __future__ import annotations

import argparse
import os
import select
import signal
import socket
import sys
import time


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role")
    parser.add_argument("--ready-fd", type=int)
    parser.add_argument("--fd", type=int)
    parser.add_argument("--shared-fd", type=int)
    parser.add_argument("--instance", default="")
    parser.add_argument("--drain", type=float)
    given = parser.parse_args()
    told: list[int] = []
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda received, _frame: told.append(received))
    if given.role in os.environ.get("DIES", "").split(","):
        sys.exit(f"{given.role} cannot be")
    listeners = [
        socket.socket(fileno=number) for number in (given.fd, given.shared_fd) if number is not None
    ]
    say(f"{given.role} {given.instance} begins")
    os.write(given.ready_fd, b"ready\n")
    lines = int(os.environ.get("LINES", "0"))
    for number in range(lines):
        say(f"line {number}")
    ends_at = float("inf")
    while time.monotonic() < ends_at:
        for listener in select.select(listeners, [], [], 0.02)[0]:
            try:
                caller, _ = listener.accept()
            except BlockingIOError:
                continue
            with caller:
                asked = caller.recv(1024)
                head = "HTTP/1.1 200 OK\r\n\r\n" if asked.startswith(b"GET ") else ""
                caller.sendall(f"{head}{given.role} {given.instance}".encode())
        if told and ends_at == float("inf"):
            ends_at = time.monotonic() + (0.2 if told[0] == signal.SIGTERM else 0.0)
    say(f"{given.role} {given.instance} ends by {told[0]}")


main()
