from __future__ import annotations

import inspect

import pytest

from quetzalcore import errors
from quetzalcore.errors import BadTable, QuetzalError, UserMistake, Where


def test_an_error_reads_as_one_sentence_with_place_and_remedy() -> None:
    error = BadTable(
        "the reading is 'abc'",
        hint="correct the cell",
        where=Where(file="a.csv", row=7, column="tmi"),
    )
    assert str(error) == "a.csv, row 7, column tmi: the reading is 'abc': correct the cell."


def test_parts_that_are_unknown_are_left_out() -> None:
    assert str(BadTable("it is empty")) == "it is empty."
    assert str(BadTable("it is empty", where=Where())) == "it is empty."
    assert str(Where(field="height")) == "field height"


def test_every_error_has_its_own_code_and_one_parent_in_the_tree() -> None:
    classes = [
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, QuetzalError)
    ]
    assert len({c.code for c in classes}) == len(classes)
    assert set(errors.__all__) == {c.__name__ for c in classes} | {"Where"}


def test_bad_input_is_a_user_mistake() -> None:
    with pytest.raises(UserMistake):
        raise errors.BadParameter("x is 3", hint="give 2")
