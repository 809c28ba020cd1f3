"""HTTP to the domain and back; nothing else.

``create_app`` makes the application of an instance, ``create_master_app`` (in ``master_app``) that beside a
master, ``serve`` serves either on a socket from ``listen``, and ``openapi_document`` describes the API.
"""

from __future__ import annotations

from quetzalcore.gateway.app import create_app, openapi_document
from quetzalcore.gateway.config import GatewayConfig
from quetzalcore.gateway.parts import GatewayParts, JoinInfo
from quetzalcore.gateway.serving import ServeOptions, listen, serve

__all__ = [
    "GatewayConfig",
    "GatewayParts",
    "JoinInfo",
    "ServeOptions",
    "create_app",
    "listen",
    "openapi_document",
    "serve",
]
