"""Finds operations of the API reference by method, path and words."""

import re
from collections.abc import Sequence

from msgspec import Struct

from tallystick.surfaces.dashboard.reference.document import Endpoint, Section

NOT_FOUND_AT_ALL = 9
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})
_variable = re.compile(r"\\\{[^}]*\\\}")
_word = re.compile(r"\S+")


class FoundOperation(Struct, frozen=True, kw_only=True):
    """An operation as the search knows it.

    Attributes:
        section: the topic that describes it.
        line: methods, addresses and title, in lower case.
        text: everything that is said about it, in lower case.
        names: the parts of its addresses between slashes, in lower case.
        paths: match its addresses with values for what stands in braces.
    """

    section: Section
    endpoint: Endpoint
    line: str
    text: str
    names: frozenset[str]
    paths: tuple[re.Pattern[str], ...]

    @property
    def address(self) -> str:
        """Where it is described."""
        return f"/docs/{self.section.anchor}#{self.endpoint.anchor}"


def operations_of(sections: Sequence[Section]) -> list[FoundOperation]:
    """All operations, in the order of the reference."""
    return [_operation(section, endpoint) for section in sections for endpoint in section.endpoints]


def find(operations: Sequence[FoundOperation], query: str) -> list[FoundOperation]:
    """Operations that have all words of a query: first those of this path, then by name, then by what is said of them.

    A word such as ``POST`` is a method, one with a slash a path: its braces may hold values.
    """
    words = _word.findall(query)
    ranked = [(_rank(operation, words), operation) for operation in operations]
    found = [(rank, operation) for rank, operation in ranked if rank < NOT_FOUND_AT_ALL]
    return [operation for _, operation in sorted(found, key=lambda pair: pair[0])]


def _operation(section: Section, endpoint: Endpoint) -> FoundOperation:
    line = " ".join((*endpoint.methods, *endpoint.addresses, endpoint.title))
    names = (parameter.name for parameter in endpoint.parameters)
    return FoundOperation(
        section=section,
        endpoint=endpoint,
        line=line.lower(),
        text=" ".join((line, endpoint.text, *names, *endpoint.common_parameters, section.title)).lower(),
        names=frozenset("/".join(endpoint.addresses).lower().split("/")),
        paths=tuple(re.compile(_variable.sub("[^/]+", re.escape(path)), re.IGNORECASE) for path in endpoint.addresses),
    )


def _rank(operation: FoundOperation, words: Sequence[str]) -> int:
    """The rank of its worst word; a path that is the operation's own comes before names that contain it."""
    return max((_rank_of_word(operation, word) for word in words), default=NOT_FOUND_AT_ALL)


def _rank_of_word(operation: FoundOperation, word: str) -> int:
    if word in _METHODS:
        return 0 if word in operation.endpoint.methods else NOT_FOUND_AT_ALL
    path = word.split("?", maxsplit=1)[0]
    if path.startswith("/") and any(pattern.fullmatch(path) for pattern in operation.paths):
        return 0
    lower = word.lower()
    if lower in operation.names:
        return 1
    if lower in operation.line:
        return 2
    return 3 if lower in operation.text else NOT_FOUND_AT_ALL
