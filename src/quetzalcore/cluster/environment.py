"""What of a master's environment its agent may have: no credentials."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["without_secrets"]

_SECRET = re.compile(
    r"SECRET|PASSW|PASSPHRASE|TOKEN|CREDENTIAL|AUTH|COOKIE|_PAT$|DSN|KEY|_UR[IL]$|^AWS_|^PG|^REDIS",
    re.IGNORECASE,
)
_URL_WITH_PASSWORD = re.compile(r"://[^/\s]*:[^/\s]*@")


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out every variable whose name or value looks like a secret or like the way to one.

    An agent needs none of them: its settings come by its command line, files by links.
    """
    return {
        name: value
        for name, value in environment.items()
        if not _SECRET.search(name) and not _URL_WITH_PASSWORD.search(value)
    }
