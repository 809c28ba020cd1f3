"""A host joins a platform whose files lie in a folder: they reach it by the gateway's own signed links."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from tests.servers.cluster import running_cluster

pytestmark = pytest.mark.slow


def test_a_worker_elsewhere_reads_and_writes_a_folder_through_signed_links(
    misbehaving_kinds: Path, tmp_path: Path
) -> None:
    assert misbehaving_kinds.is_dir()  # so that the host has sum_file
    content = b"readings" * 10_000
    survey = tmp_path / "survey.bin"
    survey.write_bytes(content)
    with running_cluster(on_s3=False) as cluster:
        cluster.join("far")
        with cluster.platform.client() as client:
            upload = client.upload(survey)["id"]
            body: Any = {"kind": "sum_file", "inputs": [{"upload_id": upload}]}
            job = client.wait(client.submit_job(body)["id"])
            assert job["state"] == "succeeded", job["error"]
            (product,) = client.download(job, tmp_path / "got")
        assert [attempt["node"] for attempt in job["attempts"]] == ["far"]
        said = (cluster.platform.folder / "gateway.out").read_text()
    assert job["result"] is not None
    assert job["result"]["sha256"] == hashlib.sha256(content).hexdigest()
    digest = hashlib.sha256(product.read_bytes()).hexdigest()
    assert digest == job["result"]["artifact_sha256"]
    assert "/api/blobs/" in said
