"""The documentation for people: whole, from this server alone, and safe whatever a kind says of itself."""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Mapping
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.servers.gateway import MemoryPlatform, talk

from quetzalcore.gateway import openapi_document
from quetzalcore.gateway.reference_page import page, policy, prose

_ADDRESSES = {"href", "src", "srcset", "action", "data", "poster", "background", "formaction"}


class _Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.scripting: list[str] = []
        self.style = ""
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in _ADDRESSES:
                self.addresses.append(value or "")
            if name.startswith("on") or name == "style":
                self.scripting.append(name)

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["style"] and not self.style:
            self.style = data
        self.text += f"{data} "


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document()


def _ask(path: str) -> httpx.Response:
    found = []

    async def conversation(_platform: MemoryPlatform, client: httpx.AsyncClient) -> None:
        found.append(await client.get(path))

    talk(conversation)
    return found[0]


def test_the_page_is_there_for_everybody_and_names_no_other_origin() -> None:
    answer = _ask("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for said in (answer.text, *answer.headers.values()):
        assert not re.search(r"(?i)(?:https?:|wss?:)?//[a-z0-9.-]+\.[a-z]", said)
    found = _Page(answer.text)
    assert "script" not in found.tags
    assert not {"img", "link", "iframe", "object", "embed"} & set(found.tags)
    assert found.scripting == []
    assert all(each.startswith("#") or each == "openapi.json" for each in found.addresses)
    assert not re.search(r"(?i)url\(|@import", found.style)


@pytest.mark.parametrize("path", ["/docs/", "/docs/oauth2-redirect", "/redoc"])
def test_there_is_no_other_page_that_would_load_one(path: str) -> None:
    assert _ask(path).status_code == 404


def test_its_policy_allows_its_own_style_and_nothing_else() -> None:
    answer = _ask("/docs")
    rules = dict(
        rule.strip().split(" ", 1) for rule in answer.headers["content-security-policy"].split(";")
    )
    style = _Page(answer.text).style
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    assert style
    assert rules == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert answer.headers["content-security-policy"] == policy()


def test_everything_of_the_description_is_on_it(document: Mapping[str, Any]) -> None:
    found = _Page(page(document))
    for path, methods in document["paths"].items():
        assert path in found.text
        for operation in methods.values():
            assert operation["operationId"] in found.ids
            for parameter in operation.get("parameters", ()):
                assert parameter["name"] in found.text
            for answer in operation["responses"].values():
                assert answer["description"] in found.text
    for name, schema in document["components"]["schemas"].items():
        assert f"model-{name}" in found.ids
        assert set(schema.get("properties", {})) <= set(re.findall(r"\w+", found.text))


def test_every_link_leads_somewhere_and_every_name_is_one_place(
    document: Mapping[str, Any],
) -> None:
    found = _Page(page(document))
    assert len(found.ids) == len(set(found.ids))
    fragments = {each[1:] for each in found.addresses if each.startswith("#")}
    assert fragments <= set(found.ids)


def test_what_a_kind_says_of_itself_stays_text(document: dict[str, Any]) -> None:
    hostile = copy.deepcopy(document)
    evil = "</style><script src=//evil.example/x.js></script><img onerror=alert(1) src=x> `<b>`"
    for methods in hostile["paths"].values():
        for operation in methods.values():
            operation["description"] = evil
            for parameter in operation.get("parameters", ()):
                parameter["description"] = parameter["schema"]["pattern"] = evil
    for schema in hostile["components"]["schemas"].values():
        schema["description"] = schema["example"] = evil
    found = _Page(page(hostile))
    assert not {"script", "img", "b"} & set(found.tags)
    assert found.scripting == []
    assert "//evil.example" in found.text


@given(st.text())
def test_prose_makes_no_element_but_its_own(text: str) -> None:
    assert set(_Page(prose(text)).tags) <= {"p", "code", "strong"}


def test_prose_knows_paragraphs_code_and_weight() -> None:
    shown = prose("one **two**\n\nthree `a < b`")
    assert shown == "<p>one <strong>two</strong></p><p>three <code>a &lt; b</code></p>"
