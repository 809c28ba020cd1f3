"""What the API's description says, as the value objects that its page for people shows."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Answer", "Body", "Field", "Group", "Model", "Operation", "Reference", "Word", "read"]

Schema = Mapping[str, Any]

_LIMITS = (
    ("minimum", "at least {:g}"),
    ("exclusiveMinimum", "more than {:g}"),
    ("maximum", "at most {:g}"),
    ("exclusiveMaximum", "less than {:g}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("minItems", "at least {} items"),
    ("maxItems", "at most {} items"),
    ("pattern", "matches {}"),
)
_FIRST_ERROR = 400
_PLACEHOLDER = re.compile(r"\{(\w+)\}")  # which curl would take for one of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """Part of a type's name; ``model`` is what it leads to, if anything."""

    text: str
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A parameter, or a member of a model."""

    name: str
    place: str
    type: tuple[Word, ...]
    required: bool
    about: str
    limits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What goes with a request or an answer, in one media type."""

    media_type: str
    type: tuple[Word, ...]
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One status that an operation may answer with."""

    status: str
    about: str
    bodies: tuple[Body, ...]
    is_error: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing that can be asked for; ``command`` asks it from a shell."""

    id: str
    method: str
    path: str
    about: str
    is_public: bool
    parameters: tuple[Field, ...]
    bodies: tuple[Body, ...]
    answers: tuple[Answer, ...]
    command: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Operations that belong together."""

    name: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """The shape of a JSON object."""

    name: str
    about: str
    fields: tuple[Field, ...]
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Everything that the page says."""

    title: str
    version: str
    about: str
    groups: tuple[Group, ...]
    models: tuple[Model, ...]


def read(document: Mapping[str, Any]) -> Reference:
    """Read an OpenAPI document as ``gateway.documentation`` makes it."""
    schemas = document["components"]["schemas"]
    groups: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            group = operation["tags"][-1]  # the most particular
            groups.setdefault(group, []).append(_operation(method, path, operation, schemas))
    return Reference(
        title=document["info"]["title"],
        version=document["info"]["version"],
        about=document["info"]["description"],
        groups=tuple(Group(name=name, operations=tuple(ops)) for name, ops in groups.items()),
        models=tuple(_model(name, schema) for name, schema in schemas.items()),
    )


def _operation(
    method: str, path: str, operation: Mapping[str, Any], schemas: Mapping[str, Schema]
) -> Operation:
    bodies = _bodies(operation.get("requestBody", {}), schemas)
    parameters = tuple(_parameter(each) for each in operation.get("parameters", ()))
    is_public = not operation["security"]
    return Operation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        about=operation.get("description") or operation["summary"],
        is_public=is_public,
        parameters=parameters,
        bodies=bodies,
        answers=tuple(
            Answer(
                status=status,
                about=answer["description"],
                bodies=_bodies(answer, schemas),
                is_error=int(status) >= _FIRST_ERROR,
            )
            for status, answer in operation["responses"].items()
        ),
        command=_command(method.upper(), path, parameters, bodies, is_public=is_public),
    )


def _parameter(parameter: Mapping[str, Any]) -> Field:
    schema = parameter["schema"]
    return Field(
        name=parameter["name"],
        place=parameter["in"],
        type=_type(schema),
        required=parameter.get("required", False),
        about=parameter.get("description", ""),
        limits=_limits(schema),
    )


def _bodies(part: Mapping[str, Any], schemas: Mapping[str, Schema]) -> tuple[Body, ...]:
    return tuple(
        Body(
            media_type=media_type,
            type=_type(content.get("schema", {})),
            example=_example(content, schemas),
        )
        for media_type, content in part.get("content", {}).items()
    )


def _example(content: Mapping[str, Any], schemas: Mapping[str, Schema]) -> str:
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    example = content.get("example", schemas.get(name, {}).get("example"))
    return "" if example is None else _json(example)


def _model(name: str, schema: Schema) -> Model:
    required = schema.get("required", ())
    return Model(
        name=name,
        about=schema.get("description", ""),
        fields=tuple(
            Field(
                name=field,
                place="",
                type=_type(member),
                required=field in required,
                about=member.get("description", ""),
                limits=_limits(member),
            )
            for field, member in schema.get("properties", {}).items()
        ),
        example=_json(schema["example"]) if "example" in schema else "",
    )


def _type(schema: Schema) -> tuple[Word, ...]:
    """Name a schema's type in words."""
    alternatives = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    if alternatives:
        return tuple(_joined([_type(each) for each in alternatives], " or "))
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return (Word(text=name, model=name),)
    if "const" in schema or "enum" in schema:
        values = schema.get("enum") or [schema["const"]]
        return (Word(text=" or ".join(json.dumps(value) for value in values)),)
    return _plain_type(schema)


def _plain_type(schema: Schema) -> tuple[Word, ...]:
    if "prefixItems" in schema:
        items = _joined([_type(each) for each in schema["prefixItems"]], ", ")
        return (Word(text="["), *items, Word(text="]"))
    if isinstance(schema.get("items"), Mapping):
        return (Word(text="list of "), *_type(schema["items"]))
    if isinstance(schema.get("additionalProperties"), Mapping):
        return (Word(text="object of "), *_type(schema["additionalProperties"]))
    name, form = schema.get("type", "anything"), schema.get("format")
    return (Word(text=f"{name} ({form})" if form else name),)


def _joined(parts: Sequence[tuple[Word, ...]], between: str) -> Iterator[Word]:
    for number, part in enumerate(parts):
        if number:
            yield Word(text=between)
        yield from part


def _limits(schema: Schema) -> str:
    """Say in words what a value must keep to, and what it is if none is given."""
    said = [
        words.format(each[name])
        for each in (schema, *schema.get("anyOf", ()))
        for name, words in _LIMITS
        if name in each
    ]
    if schema.get("default") is not None:
        said.append(f"by default {json.dumps(schema['default'], ensure_ascii=False)}")
    return ", ".join(dict.fromkeys(said))


def _command(
    method: str, path: str, parameters: Sequence[Field], bodies: Sequence[Body], *, is_public: bool
) -> str:
    """Write the operation as a command of curl; ``$URL`` and ``$KEY`` are the caller's."""
    address = _PLACEHOLDER.sub(lambda found: found[1].upper(), path)
    parts = [f'curl {"-I" if method == "HEAD" else f"-X {method}"} "$URL{address}"']
    if not is_public:
        parts.append('-H "Authorization: Bearer $KEY"')
    parts += [
        f'-H "{each.name}: ..."' for each in parameters if each.place == "header" and each.required
    ]
    if bodies and bodies[0].media_type == "application/json":
        parts.append('-H "Content-Type: application/json"')
        body = bodies[0].example or "{}"
        parts.append(f"-d {shlex.quote(json.dumps(json.loads(body), ensure_ascii=False))}")
    elif bodies:
        parts.append("--data-binary @FILE")
    return " \\\n  ".join(parts)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
