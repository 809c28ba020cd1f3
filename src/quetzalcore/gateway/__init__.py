"""HTTP to the domain and back; nothing else."""

from __future__ import annotations

from quetzalcore.gateway.app import create_app, openapi_document
from quetzalcore.gateway.config import GatewayConfig
from quetzalcore.gateway.parts import GatewayParts, JoinInfo

__all__ = ["GatewayConfig", "GatewayParts", "JoinInfo", "create_app", "openapi_document"]
