"""The surfaces' hand-written API descriptions, as one OpenAPI document."""

from collections.abc import Iterable
from functools import cached_property
from importlib.resources.abc import Traversable
from typing import Any

import msgspec
import yaml

from tallystick import __version__

# Ten times as fast; PyYAML has it wherever it was built with libyaml.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_INTRODUCTION = {
    "openapi": "3.1.0",
    "info": {
        "title": "Tallystick",
        "summary": "Counts anything and never loses a count it has acknowledged.",
        "version": __version__,
        "license": {"name": "MIT", "identifier": "MIT"},
    },
}


class Description:
    """What this server answers, as an OpenAPI document.

    Args:
        files: a description each; their order is the reader's order.
        base_path: where this server's paths begin.
    """

    def __init__(self, files: Iterable[Traversable], base_path: str = "") -> None:
        self._files, self._servers = tuple(files), [{"url": base_path or "/"}]

    @cached_property
    def document(self) -> dict[str, Any]:
        """The merged document; read and parsed at the first access."""
        merged: dict[str, Any] = {**_INTRODUCTION, "servers": self._servers, "tags": [], "paths": {}, "components": {}}
        for file in self._files:
            surface = parsed(file.read_text("utf-8"))
            merged["tags"] += surface["tags"]
            _add(merged["paths"], surface["paths"])
            for kind, named in surface["components"].items():
                _add(merged["components"].setdefault(kind, {}), named)
        return merged

    @cached_property
    def json(self) -> bytes:
        """The document as JSON."""
        return msgspec.json.encode(self.document)


def parsed(text: str) -> dict[str, Any]:
    """A description's YAML as Python values."""
    document: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506  # either is safe
    return document


def _add(merged: dict[str, Any], named: dict[str, Any]) -> None:
    if taken := merged.keys() & named:
        msg = f"two surfaces describe {', '.join(sorted(taken))}"
        raise ValueError(msg)
    merged.update(named)
