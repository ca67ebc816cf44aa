"""Check that each class name stands once in src/tallystick outside client/. Prints the duplicates, exit code 1."""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "tallystick"
EXEMPT = "client"
"""The clients are published on their own and speak each API in its own words."""


def classes(file: Path) -> Iterator[tuple[str, int]]:
    """Name and line of every class in a file, nested ones included."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef):
            yield node.name, node.lineno


def duplicates(source: Path) -> Mapping[str, Sequence[str]]:
    """Class names that stand more than once, each with ``file:line`` of every place, relative to ``source``."""
    places: dict[str, list[str]] = defaultdict(list)
    for file in sorted(source.rglob("*.py")):
        path = file.relative_to(source)
        if path.parts[0] == EXEMPT:
            continue
        for name, line in classes(file):
            places[name].append(f"{path}:{line}")
    return {name: lines for name, lines in sorted(places.items()) if len(lines) > 1}


def main() -> None:
    """Print the duplicates of this checkout."""
    names = duplicates(SOURCE)
    for name, lines in names.items():
        print(f"{name}: {', '.join(lines)}")
    if names:
        sys.exit(f"names: {len(names)} class names stand more than once; give each class a name of its own.")


if __name__ == "__main__":
    main()
