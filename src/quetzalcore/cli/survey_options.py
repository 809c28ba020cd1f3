"""From options, ``survey.toml`` and an earlier ``result.json`` to one ``SurveyConfig``."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quetzalcore.errors import BadParameter, Where
from quetzalcore.settings import validated
from quetzalcore.workloads.mag_survey.config import STAGES, SurveyConfig

__all__ = ["EarlierRun", "build_config", "parse_pairs", "read_earlier", "read_toml"]


class EarlierRun:
    """What ``--from result.json`` repeats: the parameters, and the inputs with their digests."""

    def __init__(self, path: Path) -> None:
        where = Where(file=str(path))
        try:
            provenance = json.loads(path.read_text(encoding="utf-8"))["provenance"]
            self.params: dict[str, Any] = dict(provenance["params"])
            self.digests = {str(item["role"]): str(item["sha256"]) for item in provenance["inputs"]}
            self.paths = {str(item["role"]): Path(item["path"]) for item in provenance["inputs"]}
        except OSError as error:
            raise BadParameter(
                f"it cannot be read ({error.strerror})", hint="give an existing file", where=where
            ) from None
        except (ValueError, KeyError, TypeError):
            raise BadParameter(
                "it is not the result.json of a survey run",
                hint="give the file that 'quetzal survey run' wrote",
                where=where,
            ) from None

    def look_beside(self, folders: Sequence[Path]) -> None:
        """Find files that are named without a folder, as a platform's jobs name theirs.

        One that does not lie here is looked for in the folders in turn; its digest is checked later.
        """

        def found(path: Path) -> Path:
            if path.is_absolute() or path.exists():
                return path
            there = [folder / path for folder in folders if (folder / path).is_file()]
            return there[0] if there else path

        self.paths = {role: found(path) for role, path in self.paths.items()}
        given = dict(self.params.get("input") or {})
        for role in set(given) & set(self.paths):
            if given[role] is not None:
                given[role] = str(self.paths[role])
        self.params["input"] = given


def read_earlier(path: Path | None, survey: Path | None = None) -> EarlierRun | None:
    """Open an earlier run's ``result.json``, if one is named, with its inputs or those of ``survey``'s folder."""
    if path is None:
        return None
    earlier = EarlierRun(path)
    folder = path.absolute().parent
    earlier.look_beside([*([survey.absolute().parent] if survey else ()), folder, folder.parent])
    return earlier


def read_toml(path: Path | None) -> dict[str, Any]:
    """Read ``survey.toml``, if one is named.

    Raises
    ------
    BadParameter
        If the file is missing or is not TOML.
    """
    if path is None:
        return {}
    where = Where(file=str(path))
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadParameter(
            f"it cannot be read ({error.strerror})", hint="give an existing file", where=where
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadParameter(f"it is not TOML ({error})", hint="mend it", where=where) from None


def parse_pairs(pairs: Sequence[str], *, option: str) -> dict[str, str]:
    """Split ``role=name`` options.

    Raises
    ------
    BadParameter
        If one has no ``=``.
    """
    split = [pair.partition("=") for pair in pairs]
    for pair, (key, sign, value) in zip(pairs, split, strict=True):
        if not (sign and key and value):
            raise BadParameter(
                f"{option} {pair!r} is not role=name", hint=f"write {option} tmi=MAG"
            )
    return {key: value for key, _, value in split}


def build_config(
    *, earlier: Mapping[str, Any], file: Mapping[str, Any], options: Mapping[str, Any]
) -> SurveyConfig:
    """Merge the three, the later over the earlier; options that were not given are None.

    Stages to skip add up: the command line can leave out more, not less.

    Raises
    ------
    BadParameter
        Naming the key that is unknown or out of range.
    """
    merged: dict[str, Any] = {}
    for layer in (earlier, file, options):
        merged = _merge(merged, layer)
    skip = merged["skip"] = _all_skipped((earlier, file, options))
    unknown = [name for name in skip if name not in STAGES]
    if unknown:
        raise BadParameter(
            f"there is no stage {unknown[0]!r} to skip", hint=f"choose from {', '.join(STAGES)}"
        )
    return validated(SurveyConfig, merged, source="the options or survey.toml")


def _all_skipped(layers: Sequence[Mapping[str, Any]]) -> list[Any]:
    lists = [layer.get("skip") or () for layer in layers]
    for each in lists:
        if not isinstance(each, list | tuple):
            raise BadParameter(f"skip is {each!r}", hint='write a list: skip = ["maps", "report"]')
    return list(dict.fromkeys(name for each in lists for name in each))


def _merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        if value is None or value in ((), {}):
            continue
        below = merged.get(key, {})
        if isinstance(value, Mapping) and not isinstance(below, Mapping):
            raise BadParameter(f"{key} is {below!r}", hint=f"write a table: [{key}]")
        if isinstance(value, Mapping):
            merged[key] = _merge(below, value)
        else:
            merged[key] = value
    return merged
