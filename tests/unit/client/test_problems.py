from __future__ import annotations

from quetzalcore.client.problems import problem_from


def test_a_problem_keeps_the_words_of_the_server() -> None:
    error = problem_from(
        422,
        {"code": "bad_table", "title": "No survey", "detail": "tmi is missing", "hint": "name it",
         "where": {"file": "a.csv", "row": 7}},
    )  # fmt: skip
    assert str(error) == "a.csv, row 7: tmi is missing: name it."
    assert (error.status, error.code, error.title) == (422, "bad_table", "No survey")


def test_an_answer_that_is_no_problem_document_still_says_its_status() -> None:
    assert "502" in str(problem_from(502, ["what"]))


def test_places_that_we_do_not_know_are_left_out() -> None:
    assert str(problem_from(400, {"detail": "no", "where": {"row": 3, "pixel": 9}})) == "row 3: no."
