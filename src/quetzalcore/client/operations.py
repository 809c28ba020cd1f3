"""Every JSON operation of the gateway as a typed method; written by ``make client``, not by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from quetzalcore.client import models

__all__ = ["Operations"]


def _segment(value: str) -> str:
    """Give a value as one segment of a path."""
    return quote(value, safe="")


class Operations:
    """The gateway's operations; a subclass says how a request is sent."""

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        body: Any = None,
    ) -> Any:
        """Send one request and give the decoded JSON of its answer."""
        raise NotImplementedError

    def add_user(self, body: models.NewUserRequest) -> models.UserView:
        """Add a user; for administrators."""
        answer: models.UserView = self._send("POST", "/api/users", body=body)
        return answer

    def api_health(self) -> models.Health:
        """Say how the parts of the platform are; 200 also when some are away, so read the status."""
        answer: models.Health = self._send("GET", "/api/health")
        return answer

    def cancel_job(self, job_id: str) -> models.JobView:
        """Cancel a job: a waiting one ends at once, a running one soon."""
        answer: models.JobView = self._send("DELETE", f"/api/jobs/{_segment(job_id)}")
        return answer

    def change_scaling(self, target: str, body: models.ScalingChanges) -> models.ScalingChangesView:
        """Change a set's policy while all runs; restarts keep the changes, a null takes one back."""
        answer: models.ScalingChangesView = self._send(
            "PATCH", f"/api/autoscaler/policy/{_segment(target)}", body=body
        )
        return answer

    def cost_analysis(
        self,
        body: models.CostAnalysisRequest,
        *,
        wait: float | None = None,
        idempotency_key: str | None = None,
    ) -> Mapping[str, Any] | models.JobView:
        """Say what a survey costs, what it would detect, and whether it pays."""
        answer: Mapping[str, Any] | models.JobView = self._send(
            "POST",
            "/api/mining/cost-analysis",
            query={"wait": wait},
            headers={"Idempotency-Key": idempotency_key},
            body=body,
        )
        return answer

    def create_key(self, body: models.NewKeyRequest) -> models.NewKey:
        """Make a key; its secret is shown this once."""
        answer: models.NewKey = self._send("POST", "/api/keys", body=body)
        return answer

    def create_upload(
        self, body: models.UploadRequest, *, filename: str | None = None
    ) -> models.UploadView:
        """Upload a file at once, or begin a resumable upload and go on with PATCH."""
        answer: models.UploadView = self._send(
            "POST", "/api/uploads", query={"filename": filename}, body=body
        )
        return answer

    def delete_module(self, name: str) -> None:
        """Forget a module; jobs that wait for it will fail."""
        self._send("DELETE", f"/api/wasm/modules/{_segment(name)}")

    def disable_user(self, name: str) -> None:
        """Disable a user: all keys and sessions end; for administrators."""
        self._send("DELETE", f"/api/users/{_segment(name)}")

    def discriminate(
        self,
        body: models.DiscriminateRequest,
        *,
        wait: float | None = None,
        idempotency_key: str | None = None,
    ) -> Mapping[str, Any] | models.JobView:
        """Tell which kinds of sources explain anomalies, with probabilities."""
        answer: Mapping[str, Any] | models.JobView = self._send(
            "POST",
            "/api/mining/discriminate",
            query={"wait": wait},
            headers={"Idempotency-Key": idempotency_key},
            body=body,
        )
        return answer

    def drain_node(self, node_id: str, body: models.DrainRequest) -> models.NodeView:
        """Let nothing new start on a node, or let it again; what runs there goes on."""
        answer: models.NodeView = self._send(
            "POST", f"/api/cluster/nodes/{_segment(node_id)}/drain", body=body
        )
        return answer

    def get_job(self, job_id: str) -> models.JobView:
        """Look at a job."""
        answer: models.JobView = self._send("GET", f"/api/jobs/{_segment(job_id)}")
        return answer

    def get_job_logs(
        self, job_id: str, *, after: int | None = None, limit: int | None = None
    ) -> models.LogList:
        """Read the lines that a job wrote; as plain text if the client accepts only that."""
        answer: models.LogList = self._send(
            "GET", f"/api/jobs/{_segment(job_id)}/logs", query={"after": after, "limit": limit}
        )
        return answer

    def get_me(self) -> models.Caller:
        """Say who one is; by session also the token that changes need."""
        answer: models.Caller = self._send("GET", "/api/auth/me")
        return answer

    def get_upload(self, upload_id: str) -> models.UploadView:
        """Ask how an upload stands."""
        answer: models.UploadView = self._send("GET", f"/api/uploads/{_segment(upload_id)}")
        return answer

    def health(self) -> models.Health:
        """Say how the parts of the platform are; 200 also when some are away, so read the status."""
        answer: models.Health = self._send("GET", "/health")
        return answer

    def igrf(
        self,
        body: models.IgrfRequest,
        *,
        wait: float | None = None,
        idempotency_key: str | None = None,
    ) -> Mapping[str, Any] | models.JobView:
        """Give the Earth's main field at points."""
        answer: Mapping[str, Any] | models.JobView = self._send(
            "POST",
            "/api/geophysics/igrf",
            query={"wait": wait},
            headers={"Idempotency-Key": idempotency_key},
            body=body,
        )
        return answer

    def inspect_upload(
        self, upload_id: str, body: models.InspectRequest, *, wait: float | None = None
    ) -> Mapping[str, Any] | models.JobView:
        """Look into an uploaded file: it is opened inside a VM."""
        answer: Mapping[str, Any] | models.JobView = self._send(
            "POST", f"/api/uploads/{_segment(upload_id)}/inspect", query={"wait": wait}, body=body
        )
        return answer

    def install_module(self, body: models.InstallModule) -> models.ModuleView:
        """Keep an uploaded module under a name; jobs that begin later use this version."""
        answer: models.ModuleView = self._send("POST", "/api/wasm/modules", body=body)
        return answer

    def join_cluster(self, body: models.JoinRequest) -> models.JoinView:
        """Say what a new worker needs to join; for join keys and administrators."""
        answer: models.JoinView = self._send("POST", "/api/cluster/join", body=body)
        return answer

    def list_artifacts(self, job_id: str) -> models.ArtifactList:
        """List the files that a job made; none before it has succeeded."""
        answer: models.ArtifactList = self._send("GET", f"/api/jobs/{_segment(job_id)}/artifacts")
        return answer

    def list_jobs(
        self,
        *,
        kind: str | None = None,
        state: list[str] | None = None,
        user: str | None = None,
        tenant: str | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> models.JobList:
        """List the tenant's jobs, newest first."""
        answer: models.JobList = self._send(
            "GET",
            "/api/jobs",
            query={
                "kind": kind,
                "state": state,
                "user": user,
                "tenant": tenant,
                "cursor": cursor,
                "limit": limit,
            },
        )
        return answer

    def list_keys(self, *, tenant: str | None = None) -> models.KeyList:
        """List one's own keys; administrators see everybody's."""
        answer: models.KeyList = self._send("GET", "/api/keys", query={"tenant": tenant})
        return answer

    def list_modules(self) -> models.ModuleList:
        """List the tenant's modules."""
        answer: models.ModuleList = self._send("GET", "/api/wasm/modules")
        return answer

    def list_nodes(self) -> models.NodeList:
        """List the worker nodes with what is free on them; for administrators."""
        answer: models.NodeList = self._send("GET", "/api/cluster/nodes")
        return answer

    def list_users(self, *, tenant: str | None = None) -> models.UserList:
        """List users of all tenants, or of one; for administrators."""
        answer: models.UserList = self._send("GET", "/api/users", query={"tenant": tenant})
        return answer

    def live(self) -> models.Live:
        """Say that the process answers."""
        answer: models.Live = self._send("GET", "/live")
        return answer

    def log_in(self, body: models.LoginRequest) -> models.Caller:
        """Open a session by name and password."""
        answer: models.Caller = self._send("POST", "/api/auth/login", body=body)
        return answer

    def log_out(self) -> None:
        """End the session that the cookie names."""
        self._send("POST", "/api/auth/logout")

    def ready(self) -> models.Ready:
        """Say whether this instance should be given requests."""
        answer: models.Ready = self._send("GET", "/ready")
        return answer

    def retry_job(self, job_id: str, body: models.RetryRequest) -> models.JobView:
        """Run a failed or cancelled job again, or a succeeded one from a stage."""
        answer: models.JobView = self._send(
            "POST", f"/api/jobs/{_segment(job_id)}/retry", body=body
        )
        return answer

    def revoke_key(self, key_id: str) -> None:
        """Make a key useless: one's own, or for administrators anybody's."""
        self._send("DELETE", f"/api/keys/{_segment(key_id)}")

    def run_mag_survey(
        self,
        body: models.MagSurveyRequest,
        *,
        wait: float | None = None,
        idempotency_key: str | None = None,
    ) -> Mapping[str, Any] | models.JobView:
        """Process a magnetic survey: an upload, a file in a form, or columns in JSON."""
        answer: Mapping[str, Any] | models.JobView = self._send(
            "POST",
            "/api/mining/mag-survey",
            query={"wait": wait},
            headers={"Idempotency-Key": idempotency_key},
            body=body,
        )
        return answer

    def run_wasm(
        self,
        body: models.WasmRequest,
        *,
        wait: float | None = None,
        idempotency_key: str | None = None,
    ) -> Mapping[str, Any] | models.JobView:
        """Run a WebAssembly module over an input, inside a VM."""
        answer: Mapping[str, Any] | models.JobView = self._send(
            "POST",
            "/api/wasm/run",
            query={"wait": wait},
            headers={"Idempotency-Key": idempotency_key},
            body=body,
        )
        return answer

    def scale(self, body: models.ScaleRequest) -> models.ScaleAnswer:
        """Ask for more or fewer workers or instances; it wins over the policy until the next cooldown ends."""
        answer: models.ScaleAnswer = self._send("POST", "/api/autoscaler/scale", body=body)
        return answer

    def scaling_status(self) -> models.ScalingStatus:
        """Say how workers and instances scale: now, bounds, what comes next and why; for administrators."""
        answer: models.ScalingStatus = self._send("GET", "/api/autoscaler/status")
        return answer

    def submit_job(
        self,
        body: models.SubmitJob,
        *,
        wait: float | None = None,
        idempotency_key: str | None = None,
    ) -> models.JobView:
        """Submit a job of any kind."""
        answer: models.JobView = self._send(
            "POST",
            "/api/jobs",
            query={"wait": wait},
            headers={"Idempotency-Key": idempotency_key},
            body=body,
        )
        return answer

    def system(self) -> models.SystemView:
        """Say how this instance is doing, and every other that others reach; for administrators."""
        answer: models.SystemView = self._send("GET", "/api/system")
        return answer

    def target_drills(
        self,
        body: models.TargetDrillsRequest,
        *,
        wait: float | None = None,
        idempotency_key: str | None = None,
    ) -> Mapping[str, Any] | models.JobView:
        """Rank drill targets."""
        answer: Mapping[str, Any] | models.JobView = self._send(
            "POST",
            "/api/mining/target-drills",
            query={"wait": wait},
            headers={"Idempotency-Key": idempotency_key},
            body=body,
        )
        return answer
