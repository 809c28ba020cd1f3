"""A command ``quetzal`` that starts at once: what deployments install in tests.

It says its version and what it was told. A broken one ends, is never ready, or does not even start.
"""

from __future__ import annotations

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION, TROUBLE = "0", ""


class Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ready = self.path != "/ready" or TROUBLE != "never ready"
        body = f"{VERSION} {os.environ.get('QUETZAL_LOG_LEVEL', '')} {os.getpid()}".encode()
        self.send_response(200 if ready else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def end(*_: object) -> None:
    sys.exit(0)


def main() -> None:
    if sys.argv[1] == "--version":
        sys.exit("cannot even say it" if TROUBLE == "no program" else 0)
    signal.signal(signal.SIGTERM, end)
    if "ends" in {TROUBLE, os.environ.get("STAND_IN")}:
        sys.exit(f"{VERSION} cannot run")
    role, *options = sys.argv[1:]
    told = dict(zip(options[::2], options[1::2], strict=True))
    if role == "worker":
        signal.pause()
    listen = told.get("--listen") or f"{told['--host']}:{told['--port']}"
    host, _, port = listen.rpartition(":")
    ThreadingHTTPServer((host, int(port)), Answers).serve_forever()
