"""The tree of errors that QuetzalCore raises on purpose; imports nothing of ours.

::

    QuetzalError
    ├── UserMistake            bad input: never retried, the hint says what to change
    │   ├── UnreadableInput    the file cannot be opened, decoded or decompressed
    │   ├── BadTable           the file is readable, its rows or columns are not a survey
    │   ├── BadSurvey          columns are fine, the survey they describe cannot be processed
    │   ├── BadParameter       an option, a configuration key or an argument is out of range
    │   └── BadOutput          the place that results should go to cannot be used
    ├── Retryable              the same request may succeed elsewhere or later
    └── Permanent              it failed, it will fail again, and the user cannot mend it

Every error says what happened (``detail``), where (``where``) and what to do next (``hint``).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "BadOutput",
    "BadParameter",
    "BadSurvey",
    "BadTable",
    "Permanent",
    "QuetzalError",
    "Retryable",
    "UnreadableInput",
    "UserMistake",
    "Where",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """A place in the input: any part may be unknown. Rows count from 1, as in a text editor."""

    file: str | None = None
    row: int | None = None
    column: str | None = None
    field: str | None = None

    def __str__(self) -> str:
        """Give the place as words, for example ``survey.csv, row 7, column tmi``."""
        parts = [
            self.file,
            None if self.row is None else f"row {self.row}",
            None if self.column is None else f"column {self.column}",
            None if self.field is None else f"field {self.field}",
        ]
        return ", ".join(part for part in parts if part)


class QuetzalError(Exception):
    """The root of every error that QuetzalCore raises on purpose.

    Parameters
    ----------
    detail : str
        What happened, with the values that were given, as one clause without a full stop.
    hint : str
        What to do next, as one clause without a full stop.
    where : Where, optional
        The place in the input.
    """

    code = "error"
    title = "QuetzalCore failed"

    def __init__(self, detail: str, *, hint: str = "", where: Where | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        """Give the whole story in one sentence: where, what, and what to do."""
        place = "" if self.where is None or not str(self.where) else f"{self.where}: "
        remedy = f": {self.hint}" if self.hint else ""
        return f"{place}{self.detail}{remedy}."


class UserMistake(QuetzalError):
    """Bad input; the same request fails again until the user changes it."""

    code = "user_mistake"
    title = "The input cannot be used"


class UnreadableInput(UserMistake):
    """A file that cannot be opened, decoded or decompressed."""

    code = "unreadable_input"
    title = "The file cannot be read"


class BadTable(UserMistake):
    """A readable file whose rows or columns do not make a survey."""

    code = "bad_table"
    title = "The table is not a magnetic survey"


class BadSurvey(UserMistake):
    """A survey that cannot be processed as it is."""

    code = "bad_survey"
    title = "The survey cannot be processed"


class BadParameter(UserMistake):
    """An option, a configuration key or an argument that is out of range."""

    code = "bad_parameter"
    title = "A parameter is wrong"


class BadOutput(UserMistake):
    """A place for results that cannot be used."""

    code = "bad_output"
    title = "The results cannot be written"


class Retryable(QuetzalError):
    """A failure that another attempt may not meet."""

    code = "retryable"
    title = "The attempt failed"


class Permanent(QuetzalError):
    """A failure that no retry and no change of input mends."""

    code = "permanent"
    title = "The work cannot be done"
