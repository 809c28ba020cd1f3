"""Settings by file: ``QUETZAL_DATABASE_URL_FILE=/run/secrets/database_url``, as container platforms hand secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from quetzalcore.errors import BadParameter, Where
from quetzalcore.settings import ALIASES, Settings

__all__ = ["with_secret_files"]

_PREFIX, _SUFFIX = "QUETZAL_", "_FILE"


def with_secret_files(environment: Mapping[str, str]) -> dict[str, str]:
    """Put what each file holds in the place of the variable that names it; a last line break is not its own.

    Settings that are paths themselves (``QUETZAL_RATES_FILE``) are left as they are.

    Raises
    ------
    BadParameter
        If a setting is given both ways, or its file cannot be read.
    """
    found = dict(environment)
    for variable in sorted(environment):
        name = variable.removesuffix(_SUFFIX)
        if name == variable or not _is_setting(name) or _is_setting(variable):
            continue
        if name in environment:
            raise BadParameter(
                f"both {name} and {variable} are set", hint=f"unset one of them: {name} or its file"
            )
        found[name] = _content(variable, Path(found.pop(variable)))
    return found


def _is_setting(variable: str) -> bool:
    own = variable.startswith(_PREFIX) and variable.removeprefix(_PREFIX).lower()
    return variable in ALIASES or own in Settings.model_fields


def _content(variable: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise BadParameter(
            f"the file that {variable} names cannot be read",
            hint="give a text file that this user may read",
            where=Where(file=str(path)),
        ) from None
