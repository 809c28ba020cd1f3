"""The API's description: valid, complete, with examples that its own schemas accept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator
from openapi_spec_validator import validate

from quetzalcore.gateway import openapi_document

_PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document()


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    validate(document)


def test_operation_ids_are_unique_plain_names(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in _operations(document)]
    assert len(names) == len(set(names))
    assert all(name.isidentifier() and name.islower() for name in names)


def test_every_error_is_a_problem_document_with_an_example(document: dict[str, Any]) -> None:
    for method, path, operation in _operations(document):
        errors = {k: v for k, v in operation["responses"].items() if int(k) >= 400}
        assert {"400", "500"} <= set(errors), (method, path)
        for answer in errors.values():
            assert list(answer["content"]) == [_PROBLEM]
            assert answer["content"][_PROBLEM]["example"]["code"]


def test_whatever_changes_something_may_meet_a_full_disk(document: dict[str, Any]) -> None:
    for method, path, operation in _operations(document):
        changes = method in {"post", "put", "patch", "delete"}
        assert ("507" in operation["responses"]) is changes, (method, path)


def test_what_needs_a_key_says_so(document: dict[str, Any]) -> None:
    for method, path, operation in _operations(document):
        if operation["security"]:
            assert {"401", "403", "429", "503"} <= set(operation["responses"]), (method, path)


def test_every_json_body_and_answer_has_an_example(document: dict[str, Any]) -> None:
    for method, path, operation in _operations(document):
        parts = [operation.get("requestBody", {}), *operation["responses"].values()]
        for part in parts:
            media = part.get("content", {}).get("application/json")
            if media is not None:
                assert _example(document, media) is not None, (method, path)


def test_every_example_is_what_its_schema_says(document: dict[str, Any]) -> None:
    for _method, path, operation in _operations(document):
        parts = [operation.get("requestBody", {}), *operation["responses"].values()]
        for part in parts:
            for kind, media in part.get("content", {}).items():
                example = _example(document, media)
                if "json" in kind and example is not None:
                    schema = {**media["schema"], "components": document["components"]}
                    errors = list(Draft202012Validator(schema).iter_errors(example))
                    assert not errors, (path, errors)


def _example(document: Mapping[str, Any], media: Mapping[str, Any]) -> object:
    if "example" in media:
        return media["example"]
    name = media["schema"].get("$ref", "").rpartition("/")[2]
    return document["components"]["schemas"].get(name, {}).get("example")
