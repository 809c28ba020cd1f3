"""``quetzal scale``: so many workers, so many instances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, cast, get_args

import typer

from quetzalcore.cli.connection import connect
from quetzalcore.cli.console import print_json, print_table, say
from quetzalcore.errors import BadParameter

__all__ = ["scale", "show_scaling"]

Target = Literal["workers", "instances"]

_TARGETS: tuple[Target, ...] = get_args(Target)
_SHOWN = 5


def scale(
    context: typer.Context,
    wanted: Annotated[
        list[str] | None,
        typer.Argument(metavar="[instances=N] [workers=N]", help="A number alone: instances."),
    ] = None,
    *,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="TARGET.KEY=VALUE",
            help="Change the policy while all runs, like workers.most=20; an empty value takes it back.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Have so many workers or instances until the next cooldown ends; no request is dropped, no job killed.

    Example: quetzal scale instances=8 workers=4
    """
    counts, changes = read_counts(wanted or ()), read_changes(set_ or ())
    if not (counts or changes):
        raise BadParameter(
            "nothing was asked for", hint="give for example instances=8, workers=4 or --set"
        )
    answers: list[dict[str, Any]] = []
    with connect(context.obj) as client:
        for target, values in changes.items():
            changed = client.change_scaling(target, {"changes": values})
            answers.append({"target": target, "changes": changed["changes"]})
        for target, count in counts.items():
            answer = client.scale({"action": "set", "count": count, "target": target})
            answers.append({"target": target, "count": answer["count"]})
    if as_json:
        print_json({"items": answers})
        return
    for said in answers:
        if "count" in said:
            say(f"There will be {said['count']} {said['target']}; see quetzal status.")
        else:
            held = ", ".join(f"{k}={v}" for k, v in said["changes"].items()) or "none"
            say(f"Changes of the policy of {said['target']}: {held}.")


def read_counts(words: Sequence[str]) -> dict[Target, int]:
    """Read ``instances=8``, ``workers=4`` or ``8``.

    Raises
    ------
    BadParameter
        Naming the word that is neither.
    """
    counts: dict[Target, int] = {}
    for word in words:
        name, _, number = word.rpartition("=")
        target = cast("Target", name or "instances")
        if target not in _TARGETS or not number.isdecimal():
            raise BadParameter(
                f"{word!r} is no number of workers or instances",
                hint="give for example instances=8 or workers=4",
            )
        if target in counts:
            raise BadParameter(f"{target} is given twice", hint="give it once")
        counts[target] = int(number)
    return counts


def read_changes(words: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Read ``workers.most=20``; an empty value is None.

    Raises
    ------
    BadParameter
        Naming the word that cannot be read.
    """
    changes: dict[str, dict[str, Any]] = {}
    for word in words:
        name, equals, value = word.partition("=")
        target, _, key = name.partition(".")
        if target not in _TARGETS or not key or not equals:
            raise BadParameter(
                f"{word!r} is no change of a policy", hint="give for example workers.most=20"
            )
        changes.setdefault(target, {})[key] = _value(value)
    return changes


def show_scaling(status: Any) -> None:  # noqa: ANN401 -- models.ScalingStatus, which is a TypedDict of the client
    """Print how the sets scale and what was decided lately."""
    rows = [
        [
            target,
            str(held["count"]),
            f"{held['ready']} / {held['starting']} / {held['draining']}",
            f"{held['bounds']['least']} to {held['bounds']['most']}",
            held["decision"]["reason"],
        ]
        for target, held in status["targets"].items()
        if held is not None
    ]
    if rows:
        columns = ["set", "are", "ready / starting / draining", "bounds", "now"]
        print_table("Scaling", columns, rows)
    lately = [
        [
            record["at"][:19].replace("T", " "),
            record["target"],
            f"{record['action']} {record['done']} of {record['count']}",
            record["reason"] + (f" ({record['note']})" if record["note"] else ""),
            record["by"],
        ]
        for record in status["history"][:_SHOWN]
    ]
    if lately:
        print_table("Latest scaling (UTC)", ["at", "set", "did", "because", "by"], lately)


def _value(text: str) -> bool | float | str | None:
    if not text:
        return None
    if text in {"true", "false"}:
        return text == "true"
    try:
        return float(text) if "." in text or "e" in text else int(text)
    except ValueError:
        return text
