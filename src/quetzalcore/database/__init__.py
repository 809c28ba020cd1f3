"""One SQL database: opened with the right pragmas, migrated, shared by the packages that keep rows in it."""

from __future__ import annotations
