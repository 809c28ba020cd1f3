"""VMs: processes in their own namespaces with enforced limits and a virtual GPU."""

from __future__ import annotations
