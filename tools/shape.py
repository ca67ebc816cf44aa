"""Sizes of files and functions in src/tallystick, and the imports between the packages of services. Never a gate."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "tallystick"
LONG_FILE = 150
LONG_FUNCTION = 30
LONGEST_SHOWN = 10


class Function(NamedTuple):
    """A function and its lines, signature and docstring included."""

    lines: int
    name: str


def functions(file: Path) -> Iterator[Function]:
    """Every function of a file, methods and inner ones too."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            name = f"{file.relative_to(SOURCE)}:{node.lineno} {node.name}"
            yield Function(node.end_lineno - node.lineno + 1, name)


def room_arrows(package: Path) -> tuple[set[str], set[tuple[str, str]]]:
    """The rooms of a package (its modules and subpackages), and which of them imports which."""
    name = ".".join(("tallystick", *package.relative_to(SOURCE).parts))
    rooms = {path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    rooms.discard("__init__")
    arrows: set[tuple[str, str]] = set()
    for file in package.rglob("*.py"):
        room = file.relative_to(package).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.ImportFrom) or node.module is None:
                continue
            for alias in node.names:
                imported = f"{node.module}.{alias.name}"
                if imported.startswith(f"{name}.") and (other := imported[len(name) + 1 :].partition(".")[0]) != room:
                    arrows.add((room, other))
    return rooms, arrows


def _table(title: str, rows: Sequence[tuple[int, str]]) -> Table:
    table = Table("lines", "where", title=title, title_justify="left")
    for lines, where in rows:
        table.add_row(str(lines), where)
    return table


def main() -> None:
    """Print the sizes."""
    console = Console()
    files = sorted(SOURCE.rglob("*.py"))
    lengths = {file: len(file.read_text("utf-8").splitlines()) for file in files}
    found = [function for file in files for function in functions(file)]
    sizes = [function.lines for function in found]
    short_files = sum(lines < LONG_FILE for lines in lengths.values()) / len(files)
    short_functions = sum(lines < LONG_FUNCTION for lines in sizes) / len(sizes)
    long_files = [(lines, str(file.relative_to(SOURCE))) for file, lines in lengths.items() if lines > LONG_FILE]
    console.print(_table(f"Files over {LONG_FILE} lines", sorted(long_files, reverse=True)))
    console.print(_table("Longest functions", sorted(found, reverse=True)[:LONGEST_SHOWN]))
    console.print(
        f"{len(files)} files, {sum(lengths.values()):,} lines; {short_files:.0%} of the files are under"
        f" {LONG_FILE} lines.\n{len(found)} functions, {median(sizes):g} lines in the middle;"
        f" {short_functions:.1%} are under {LONG_FUNCTION}."
    )
    rooms, arrows = room_arrows(SOURCE / "services")
    console.print(f"services: {len(rooms)} rooms, {len(arrows)} arrows between them.")


if __name__ == "__main__":
    main()
