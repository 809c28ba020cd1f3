"""Serving: patience with headers, draining, signals in a process of its own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
from tests.servers.gateway import live

from quetzalcore.gateway import ServeOptions

_PROCESS = """
import asyncio
from quetzalcore.gateway import ServeOptions, listen, serve
from tests.servers.gateway import MemoryPlatform

async def main():
    platform = await MemoryPlatform.build()
    listener = listen("127.0.0.1", 0)
    said = f"{listener.getsockname()[1]} {platform.keys['ada']}"
    options = ServeOptions(drain_s=3)
    await serve(platform.app(), listener, options, on_ready=lambda: print(said, flush=True))
    print("ended", flush=True)

asyncio.run(main())
"""


def test_headers_that_never_end_close_the_connection() -> None:
    with live(ServeOptions(signals=False, header_s=0.3)) as gateway:
        answers = []
        for sent in (b"", b"GET /live HTTP/1.1\r\nHost: x\r\n", b"GET /li"):
            with socket.create_connection(("127.0.0.1", gateway.port)) as raw:
                raw.sendall(sent)
                raw.settimeout(5)
                began = time.monotonic()
                answers.append(raw.recv(4096))
                assert time.monotonic() - began < 4
        assert all(answer.startswith(b"HTTP/1.1 408") for answer in answers)
        assert httpx.get(f"{gateway.url}/live").status_code == 200


def test_a_byte_now_and_then_does_not_keep_a_connection() -> None:
    with live(ServeOptions(signals=False, header_s=0.5)) as gateway:
        with socket.create_connection(("127.0.0.1", gateway.port)) as raw:
            raw.settimeout(0.1)
            answer = b""
            for letter in b"GET /live HTTP/1.1\r\nX-Slow: " + b"a" * 200:
                try:
                    raw.sendall(bytes([letter]))
                    answer = raw.recv(4096)
                    break
                except TimeoutError:
                    continue
        assert answer.startswith(b"HTTP/1.1 408")


def test_what_is_no_http_gets_a_problem_document() -> None:
    with live() as gateway:
        for sent in (b"\x16\x03\x01hello\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 6000):
            with socket.create_connection(("127.0.0.1", gateway.port)) as raw:
                raw.settimeout(5)
                raw.sendall(sent)
                answer = b""
                while piece := raw.recv(65536):
                    answer += piece
                    if answer.endswith(b"}"):
                        break
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400")
            assert json.loads(body)["code"] == "bad_request"


def test_a_process_that_is_asked_to_end_drains_and_ends_streams() -> None:
    process = subprocess.Popen((sys.executable, "-c", _PROCESS), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port, key = process.stdout.readline().split()
        url, headers = f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {key}"}
        job = httpx.post(f"{url}/api/jobs", json={"kind": "noop"}, headers=headers).json()
        waited: list[int] = []
        waiter = threading.Thread(
            target=lambda: waited.append(
                httpx.post(
                    f"{url}/api/jobs?wait=30", json={"kind": "noop"}, headers=headers, timeout=40
                ).status_code
            )
        )
        waiter.start()
        with httpx.stream("GET", f"{url}/api/jobs/{job['id']}/events", headers=headers) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "retry: 2000"
            process.send_signal(signal.SIGTERM)
            assert _eventually_unready(url)
            list(lines)  # ends by itself
        waiter.join(10)
        assert waited == [201]
        assert process.stdout.read().endswith("ended\n")
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()


def _eventually_unready(url: str) -> bool:
    for _ in range(100):
        if httpx.get(f"{url}/ready").status_code == 503:
            return True
        time.sleep(0.01)
    return False
