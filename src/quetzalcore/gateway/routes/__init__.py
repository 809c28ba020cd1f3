"""The routes by subject; each module is one page of the API."""

from __future__ import annotations
