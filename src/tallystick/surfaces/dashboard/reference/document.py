"""Turns an OpenAPI document into the sections of the API reference.

Each operation has one entry, whatever addresses and methods it has. What operations share is described once a section:
parameters that are components, and responses that all operations of the section can give.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct

Node = Mapping[str, Any]

_METHODS = ("get", "post", "put", "patch", "delete")
_ASIDES = ("head", "options")
"""Methods that are the same at every address: listed, not described."""


class Parameter(Struct, frozen=True):
    """One parameter.

    Attributes:
        kind: the accepted values, in words.
        place: path, query or header.
        default: the value when the parameter is left out; None if there is none.
        example: None if there is none.
    """

    name: str
    kind: str
    place: str
    required: bool
    default: str | None
    example: str | None
    text: str


class DocumentedResponse(Struct, frozen=True):
    """One status of an operation's responses.

    Attributes:
        headers: names of the documented headers.
        bodies: example bodies.
    """

    status: str
    text: str
    headers: tuple[str, ...]
    bodies: tuple[str, ...]


class Endpoint(Struct, frozen=True):
    """One operation.

    Attributes:
        name: the constant start of the address.
        path: an example path with the required parameters.
        options: curl's options besides the address.
        common_parameters, common_statuses: names and statuses that are described once for the section.
    """

    anchor: str
    name: str
    title: str
    text: str
    methods: tuple[str, ...]
    addresses: tuple[str, ...]
    path: str
    options: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    answers: tuple[DocumentedResponse, ...]
    common_parameters: tuple[str, ...]
    common_statuses: tuple[str, ...]


class Section(Struct, frozen=True):
    """The operations of one tag."""

    anchor: str
    title: str
    text: str
    endpoints: tuple[Endpoint, ...]
    parameters: tuple[Parameter, ...]
    answers: tuple[DocumentedResponse, ...]


class _Operation(Struct):
    """An operation at one address, with its references resolved.

    Attributes:
        methods: the documented one, then those that do the same.
        parameters, answers: each with whether it is a shared component.
    """

    node: Node
    address: str
    methods: tuple[str, ...]
    parameters: list[tuple[Parameter, bool]]
    answers: list[tuple[DocumentedResponse, bool]]


def sections(document: Node) -> list[Section]:
    """The sections of a document, one for each tag."""
    operations = list(_operations(document))
    return [
        _section(tag, [operation for operation in operations if tag["name"] in operation.node["tags"]])
        for tag in document["tags"]
    ]


def _operations(document: Node) -> Iterator[_Operation]:
    for address, item in document["paths"].items():
        asides = [method for method in _ASIDES if method in item]
        documented = [method for method in _METHODS if method in item]
        for _, alike in groupby(documented, key=lambda method: item[method]["summary"]):
            methods = [*alike, *asides]
            yield _operation(document, address, item, methods)


def _operation(document: Node, address: str, item: Node, methods: Sequence[str]) -> _Operation:
    node = item[methods[0]]
    parameters = [*item.get("parameters", ()), *node.get("parameters", ())]
    return _Operation(
        node,
        address,
        tuple(method.upper() for method in methods),
        [(_parameter(document, part), "$ref" in part) for part in parameters],
        [(_answer(document, status, part), "$ref" in part) for status, part in sorted(node["responses"].items())],
    )


def _section(tag: Node, operations: Sequence[_Operation]) -> Section:
    common = _common_answers(operations)
    parameters = {part.name: part for operation in operations for part, shared in operation.parameters if shared}
    grouped = groupby(operations, key=lambda operation: operation.node["summary"])
    return Section(
        anchor=_anchor(tag["name"]),
        title=tag["name"],
        text=tag["description"],
        endpoints=tuple(_endpoint(list(group), common) for _, group in grouped),
        parameters=tuple(parameters.values()),
        answers=tuple(common),
    )


def _common_answers(operations: Sequence[_Operation]) -> list[DocumentedResponse]:
    first, *others = [[part for part, shared in operation.answers if shared] for operation in operations]
    return [answer for answer in first if all(answer in other for other in others)]


def _endpoint(operations: Sequence[_Operation], common: Sequence[DocumentedResponse]) -> Endpoint:
    first = operations[0]
    own = [part for part, shared in first.parameters if not shared]
    return Endpoint(
        anchor=first.node.get("operationId") or _anchor(f"{first.methods[0]} {first.address}"),
        name=first.address.split("/{")[0],
        title=first.node["summary"],
        text=first.node.get("description", ""),
        methods=first.methods,
        addresses=tuple(operation.address for operation in operations),
        path=_example_path(first),
        options=tuple(_options(first)),
        parameters=tuple(own),
        answers=tuple(answer for answer, _ in first.answers if answer not in common),
        common_parameters=tuple(part.name for part, shared in first.parameters if shared),
        common_statuses=tuple(answer.status for answer in common),
    )


def _anchor(name: str) -> str:
    return re.sub(r"\W+", "-", name.lower()).strip("-")


def _options(operation: _Operation) -> Iterator[str]:
    method, node = operation.methods[0], operation.node
    sent = list(_bodies(node.get("requestBody", {})))
    if method != ("POST" if sent else "GET"):
        yield f"-X {method}"
    if node.get("security"):
        yield '-H "Authorization: Bearer $TOKEN"'
    if sent:
        yield f"--json {shlex.quote(sent[0])}"


def _example_path(operation: _Operation) -> str:
    path, query = operation.address, {}
    for parameter, _ in operation.parameters:
        if parameter.place == "path":
            path = path.replace(f"{{{parameter.name}}}", parameter.example or parameter.name)
        elif parameter.place == "query" and parameter.example is not None:
            query[parameter.name] = parameter.example
    return f"{path}?{urlencode(query)}" if query else path


def _parameter(document: Node, node: Node) -> Parameter:
    node = _resolved(document, node)
    schema = {**_resolved(document, node["schema"]), **node["schema"]}
    default, example = schema.get("default"), node.get("example")
    return Parameter(
        name=node["name"],
        kind=_kind(schema),
        place=node["in"],
        required=node.get("required", False),
        default=None if default is None else str(default),
        example=None if example is None else str(example),
        text=node["description"],
    )


def _kind(schema: Node) -> str:
    if "title" in schema:
        return str(schema["title"])
    if "enum" in schema:
        *others, last = [f"`{value}`" for value in schema["enum"]]
        return f"{', '.join(others)} or {last}"
    return {"integer": "whole number", "string": "text"}.get(schema.get("type", ""), "anything")


def _answer(document: Node, status: str, node: Node) -> DocumentedResponse:
    node = _resolved(document, node)
    return DocumentedResponse(status, node["description"], tuple(node.get("headers", ())), tuple(_bodies(node)))


def _bodies(node: Node) -> Iterator[str]:
    """Examples of the first media type, which is the default."""
    for media in list(node.get("content", {}).values())[:1]:
        examples = [example["value"] for example in media.get("examples", {}).values()]
        if "example" in media:
            examples = [media["example"]]
        for example in examples:
            yield example.strip() if isinstance(example, str) else json.dumps(example, ensure_ascii=False)


def _resolved(document: Node, node: Node) -> Node:
    """The node that a ``$ref`` points to; other nodes unchanged."""
    while "$ref" in node:
        target: Node = document
        for name in node["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        node = target
    return node
