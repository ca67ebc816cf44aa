"""Decodes parameters, headers and bodies of this contract. No permission is checked here."""

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import TypeVar

import msgspec

from tallystick.model.counter import INT64_MAX
from tallystick.surfaces.counttogether.errors import INVALID_AMOUNT, Malformed
from tallystick.web.bodies import json_problem
from tallystick.web.query import first_values

Body = TypeVar("Body")

LONGEST_QUERY = 8_192
"""Bytes; decoding more would block other requests."""
MOST_PARAMETERS = 100
LONGEST_ID = 18
QUERIES_REMEMBERED = 1_024
LONGEST_REMEMBERED = 64
"""Bytes of a query whose parameters are cached."""

_whole = re.compile(r"[+-]?[0-9]{1,30}", re.ASCII).fullmatch
_versions = re.compile(r'(?<!W/)"([0-9]{1,19})-[0-9a-f]{8}"', re.ASCII).findall
"""Versions in the entity tags of counters, which are never weak."""


def query_values(raw: bytes) -> Mapping[str, str]:
    """A query's parameters, percent-decoded; the first value of a repeated one.

    Raises:
        Malformed: there are too many, or the query is too long.
    """
    require_short(raw)
    # Home Assistant sends the same query with every request. Queries with tokens were refused before: none is cached.
    return _remembered(raw) if len(raw) <= LONGEST_REMEMBERED else _decoded(raw)


def require_short(query: bytes) -> None:
    """Refuse a query that takes long to decode.

    Raises:
        Malformed
    """
    if len(query) > LONGEST_QUERY:
        msg = f"the query is longer than {LONGEST_QUERY} bytes"
        raise Malformed(msg)


def _decoded(raw: bytes) -> Mapping[str, str]:
    try:
        return MappingProxyType(first_values(raw, "replace", MOST_PARAMETERS))
    except ValueError as error:
        msg = "too many parameters"
        raise Malformed(msg) from error


_remembered = lru_cache(QUERIES_REMEMBERED)(_decoded)


def integer(query: Mapping[str, str], name: str, default: int, *, least: int, most: int) -> int:
    """Parse a parameter as a whole number.

    Raises:
        Malformed: it is not a whole number, or out of range.
    """
    text = query.get(name)
    if text is None:
        return default
    if not _whole(text) or not least <= int(text) <= most:
        msg = f"{name} must be a whole number from {least} to {most}"
        raise Malformed(msg)
    return int(text)


def amount_in(place: Mapping[str, str]) -> int:
    """The amount in a path; 1 if it has none.

    Raises:
        Malformed: it is not a whole number from 1 to ``INT64_MAX``.
    """
    text = place.get("amount", "1")
    if not _whole(text) or not 1 <= int(text) <= INT64_MAX:
        msg = f"the amount must be a whole number from 1 to {INT64_MAX}"
        raise Malformed(msg, INVALID_AMOUNT)
    return int(text)


def integer_in(place: Mapping[str, str], name: str) -> int:
    """An id in the path; 0, which is never an id, for any other text."""
    text = place[name]
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_ID else 0


def body_as(kind: type[Body], body: bytes) -> Body:
    """A JSON body; an empty one is ``{}``.

    Raises:
        Malformed: it is not JSON, or not of this shape.
    """
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        msg = f"invalid JSON: {json_problem(error, body) or error}"
        raise Malformed(msg) from error


def require_no_amount(body: bytes, query: Mapping[str, str], verb: str) -> None:
    """Refuse an increment or decrement with a body that is not empty JSON, or with an amount in the body or query.

    Empty values such as ``{}`` pass: some programs send them for no body. ``?amount=5`` is the form of CountAPI.

    Raises:
        Malformed
    """
    if "amount" not in query and not _has_content(body):
        return
    msg = f"{verb} takes no body and no query; the amount stands in the path: POST /v2/counters/ID/{verb}/AMOUNT"
    raise Malformed(msg)


def _has_content(body: bytes) -> bool:
    if not body:
        return False
    try:
        return bool(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return b"amount" in body


def etags_in(header: str) -> frozenset[str]:
    """The opaque texts of a list of entity tags, ``*`` among them; weak ones too."""
    return frozenset(tag.strip().removeprefix("W/").strip('"') for tag in header.split(","))


def version_in(header: str | None) -> int | None:
    """Parse the version in an ``If-Match``; None for any version, 0 (which no counter has) if it is malformed.

    Raises:
        Malformed: it names several versions.
    """
    if header is None or header.strip() == "*":
        return None
    versions = {int(version) for version in _versions(header)}
    if len(versions) > 1:
        msg = "If-Match takes one ETag of a counter, or *"
        raise Malformed(msg)
    return versions.pop() if versions else 0
