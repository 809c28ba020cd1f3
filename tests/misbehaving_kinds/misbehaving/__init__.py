"""Job kinds that do to a VM whatever a job must not do to anybody else."""

from __future__ import annotations
