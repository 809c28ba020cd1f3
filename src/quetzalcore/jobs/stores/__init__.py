"""Where files are kept: in a folder, in a bucket, or in memory for tests.

::

    store = open_store("file:///var/lib/quetzalcore/artifacts")
    store = open_store("s3://surveys/production?endpoint=https://s3.example.org&region=eu-west-1",
                       access_key_id="...", secret_access_key="...")
"""

from __future__ import annotations

from quetzalcore.jobs.stores.bucket import BucketStore
from quetzalcore.jobs.stores.faults import StorageFull, StoreRefused, StoreUnavailable
from quetzalcore.jobs.stores.folder import FolderStore
from quetzalcore.jobs.stores.keys import checked_key
from quetzalcore.jobs.stores.memory import MemoryStore
from quetzalcore.jobs.stores.opening import open_store

__all__ = [
    "BucketStore",
    "FolderStore",
    "MemoryStore",
    "StorageFull",
    "StoreRefused",
    "StoreUnavailable",
    "checked_key",
    "open_store",
]
