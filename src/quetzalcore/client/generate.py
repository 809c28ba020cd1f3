"""Writes ``models.py`` and ``operations.py`` from the gateway's OpenAPI document (run by ``make client``).

The types come from datamodel-code-generator, as TypedDicts: answers stay plain JSON at run time.
The methods are written here, one line of work each; published generators write about 200 lines an
operation for the same (``docs/decisions/0004-generated-client.md``).
"""

from __future__ import annotations

import json
import keyword
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Operation", "main", "operations", "operations_module"]

_JSON = "application/json"
_SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
_OK = re.compile(r"2\d\d")

_HEAD = '''"""Every JSON operation of the gateway as a typed method; written by ``make client``, not by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from quetzalcore.client import models

__all__ = ["Operations"]


def _segment(value: str) -> str:
    """Give a value as one segment of a path."""
    return quote(value, safe="")


class Operations:
    """The gateway's operations; a subclass says how a request is sent."""

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        body: Any = None,
    ) -> Any:
        """Send one request and give the decoded JSON of its answer."""
        raise NotImplementedError
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter of an operation: ``place`` is path, query or header."""

    name: str
    place: str
    type: str
    required: bool

    @property
    def argument(self) -> str:
        """Give its name as Python writes it."""
        plain = re.sub(r"\W", "_", self.name).lower()
        return f"{plain}_" if keyword.iskeyword(plain) else plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation that takes and gives JSON."""

    name: str
    method: str
    path: str
    summary: str
    parameters: tuple[Parameter, ...]
    body: str
    gives: str


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """Give the operations whose answer is JSON or nothing, by name."""
    found = [
        operation
        for path, item in document["paths"].items()
        for method, spec in item.items()
        if method in {"get", "put", "post", "patch", "delete"}
        if (operation := _operation(method, path, spec)) is not None
    ]
    yield from sorted(found, key=lambda operation: operation.name)


def operations_module(document: Mapping[str, Any]) -> str:
    """Give the text of ``operations.py``."""
    return _HEAD + "".join(map(_method, operations(document)))


def main(arguments: list[str]) -> None:
    """Write both modules into the folder given; the document comes on standard input."""
    folder = Path(arguments[0])
    document = json.load(sys.stdin)
    (folder / "operations.py").write_text(operations_module(document), encoding="utf-8")
    options = ("--output-model-type", "typing.TypedDict", "--target-python-version", "3.11")
    style = (
        "--use-double-quotes",
        "--use-schema-description",
        "--disable-timestamp",
        "--formatters",
        "builtin",
    )
    subprocess.run(  # noqa: S603 -- the tool of our own environment
        (
            Path(sys.executable).with_name("datamodel-codegen"),
            "--input-file-type",
            "openapi",
            *options,
            *style,
            "--output",
            folder / "models.py",
            "--custom-file-header",
            '"""What goes over the wire; written by ``make client``."""',
        ),
        input=json.dumps(document),
        text=True,
        check=True,
    )


def _operation(method: str, path: str, spec: Mapping[str, Any]) -> Operation | None:
    gives = {
        _type(answer["content"][_JSON]["schema"]) if _JSON in answer.get("content", {}) else "None"
        for code, answer in spec["responses"].items()
        if _OK.fullmatch(code) and (_JSON in answer.get("content", {}) or "content" not in answer)
    }
    streams = any(
        "content" in answer and _JSON not in answer["content"]
        for code, answer in spec["responses"].items()
        if _OK.fullmatch(code)
    )
    taken = spec.get("requestBody", {}).get("content", {})
    if not gives or streams or (taken and _JSON not in taken):
        return None
    return Operation(
        name=spec["operationId"],
        method=method.upper(),
        path=path,
        summary=_first_line(spec.get("description") or spec.get("summary") or spec["operationId"]),
        parameters=tuple(
            Parameter(
                name=given["name"],
                place=given["in"],
                type=_type(given["schema"]),
                required=given.get("required", False),
            )
            for given in spec.get("parameters", ())
            if given["in"] != "cookie"
        ),
        body=_type(taken[_JSON]["schema"]) if taken else "",
        gives=" | ".join(sorted(gives)),
    )


def _first_line(text: str) -> str:
    return text.strip().split("\n")[0].replace('"', "'")


def _type(schema: Mapping[str, Any]) -> str:
    """Give a schema as a Python type."""
    if "$ref" in schema:
        return f"models.{schema['$ref'].rsplit('/', 1)[-1]}"
    if "anyOf" in schema or "oneOf" in schema:
        options = schema.get("anyOf") or schema["oneOf"]
        kinds = {_type(option) for option in options if option.get("type") != "null"}
        return " | ".join(sorted(kinds))
    if schema.get("type") == "array":
        return f"list[{_type(schema['items'])}]"
    if schema.get("type") == "object":
        return "Mapping[str, Any]"
    return _SCALARS.get(schema.get("type", ""), "Any")


def _method(operation: Operation) -> str:
    needed = [p for p in operation.parameters if p.required]
    optional = [p for p in operation.parameters if not p.required]
    arguments = [f"{p.argument}: {p.type}" for p in needed]
    if operation.body:
        arguments.append(f"body: {operation.body}")
    if optional:
        arguments += ["*", *(f"{p.argument}: {p.type} | None = None" for p in optional)]
    path = operation.path
    for parameter in needed:
        if parameter.place == "path":
            path = path.replace(f"{{{parameter.name}}}", f"{{_segment({parameter.argument})}}")
    sent = [f'"{operation.method}"', f'{"f" if "{" in path else ""}"{path}"']
    for place, keyword_name in (("query", "query"), ("header", "headers")):
        pairs = [f'"{p.name}": {p.argument}' for p in operation.parameters if p.place == place]
        if pairs:
            sent.append(f"{keyword_name}={{{', '.join(pairs)}}}")
    if operation.body:
        sent.append("body=body")
    call = f"self._send({', '.join(sent)})"
    ends = "" if operation.gives == "None" else "answer: " + operation.gives + " = "
    returned = "" if operation.gives == "None" else "\n        return answer"
    return f'''
    def {operation.name}({", ".join(["self", *arguments])}) -> {operation.gives}:
        """{operation.summary.rstrip(".")}."""
        {ends}{call}{returned}
'''


if __name__ == "__main__":
    main(sys.argv[1:])
