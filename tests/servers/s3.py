"""A server that speaks S3: moto's, in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest

BUCKET = "artifacts"
ACCESS_KEY_ID = "test-key"
SECRET_ACCESS_KEY = "test-secret"  # noqa: S105 -- moto takes any
REGION = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """Where the server listens; a bucket named ``artifacts`` is there, all tests share it."""

    endpoint: str
    pid: int
    bucket: str = BUCKET
    access_key_id: str = ACCESS_KEY_ID
    secret_access_key: str = SECRET_ACCESS_KEY
    region: str = REGION

    def url(self, prefix: str) -> str:
        """Give what ``open_store`` takes."""
        return f"s3://{self.bucket}/{prefix}?endpoint={self.endpoint}&region={self.region}"

    def client(self) -> Any:  # noqa: ANN401 -- boto3 has no types
        """Give an independent client."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            region_name=self.region,
        )


def started(log: Path, *, host: str = "127.0.0.1") -> tuple[subprocess.Popen[bytes], str]:
    """Start a server on a free port and wait until it listens."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    program = Path(sys.executable).with_name("moto_server")
    with log.open("wb") as file:
        process = subprocess.Popen([program, "-H", host, "-p", str(port)], stdout=file, stderr=file)
    for _ in range(600):
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return process, f"http://{host}:{port}"
    process.kill()
    process.wait()
    raise RuntimeError(f"moto_server did not start:\n{log.read_text()}")


def stopped(process: subprocess.Popen[bytes]) -> None:
    """End a server, kindly first."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory) -> Iterator[S3Server]:
    """Give a running server with an empty bucket."""
    process, endpoint = started(tmp_path_factory.mktemp("s3") / "moto.log")
    try:
        server = S3Server(endpoint=endpoint, pid=process.pid)
        client = server.client()
        client.create_bucket(Bucket=BUCKET)
        client.close()
        yield server
    finally:
        stopped(process)
