"""What isolates a VM: one module per runtime, all behind ``Runtime``."""

from __future__ import annotations
