"""The values of a statement, which never are in its text."""

from typing import Any


class BoundValues:
    """Collects values under names of its own."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def add(self, value: Any) -> str:  # noqa: ANN401  # whatever DuckDB takes
        """Add a value. Returns how the text refers to it."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"${name}"
