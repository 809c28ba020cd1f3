"""The limits of a gateway instance."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GatewayConfig"]

_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """What an operator may set of a gateway.

    Parameters
    ----------
    instance : str
        Name of this instance in health, metrics and logs.
    public_url : str
        The gateway as others reach it; empty: as the request says.
    allowed_hosts : tuple of str
        ``Host`` headers that are served; empty: any that is well formed.
    json_bytes, columns_bytes : int
        Greatest JSON body, and greatest one that carries columns of numbers.
    upload_bytes : int
        Greatest upload.
    part_bytes : int
        Resumable uploads are kept in parts of this size: what a broken connection may lose.
    body_idle_s : float
        A body of which nothing comes for this long is given up.
    body_bytes_per_s, body_grace_s : float
        After the grace, a body slower than this on average is given up.
    wait_s, max_wait_s : float
        How long an answer waits for its job by default and at most.
    heartbeat_s : float
        A silent event stream says something this often.
    streams, tenant_streams : int
        Event streams and sockets of one instance at once, and those of one tenant among them.
    socket_jobs : int
        Jobs that one WebSocket may watch.
    key_cache_s : float
        How long another instance's revocation of a key or session may go unnoticed.
    max_priority : int
        Highest priority that a caller who is no admin may ask for.
    max_wall_s : float
        Longest time limit that a caller may ask for.
    upload_ttl_s : float
        An upload that no job reads is deleted after this.
    session_s : float
        Lifetime of the session cookie.
    log_reads : bool
        Whether quick reads that went well are logged one by one, too; metrics count them anyway.
    """

    instance: str = "gateway"
    public_url: str = ""
    allowed_hosts: tuple[str, ...] = ()
    json_bytes: int = _MIB
    columns_bytes: int = 32 * _MIB
    upload_bytes: int = 4096 * _MIB
    part_bytes: int = 32 * _MIB
    body_idle_s: float = 20.0
    body_bytes_per_s: float = 1024.0
    body_grace_s: float = 30.0
    wait_s: float = 30.0
    max_wait_s: float = 60.0
    heartbeat_s: float = 15.0
    streams: int = 1000
    tenant_streams: int = 250
    socket_jobs: int = 200
    key_cache_s: float = 1.0
    max_priority: int = 10
    max_wall_s: float = 86_400.0
    upload_ttl_s: float = 86_400.0
    session_s: float = 12 * 3600.0
    log_reads: bool = False
