"""Who may do what: tenants, users, keys, roles, sessions and the audit trail."""

from __future__ import annotations
