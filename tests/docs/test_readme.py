"""The documentation is true: its commands run, its options exist, its links lead somewhere."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.asking import ask
from support.commands import CommandLine
from support.server import running_server
from tallystick.cli import counter
from tallystick.cli.main import command_line

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "tallystick"
README = (ROOT / "README.md").read_text("utf-8")
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md", "benchmarks/README.md")),
    PACKAGE / "ledger" / "DESIGN.md",
    *sorted(PACKAGE.glob("surfaces/*/README.md")),
]


def section(title: str) -> str:
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def shell_lines(text: str) -> list[str]:
    return [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]


def words(line: str) -> list[str]:
    """What a shell makes of a line: an unquoted & or ; is a word of its own."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(lexer)


def test_the_tour_answers_what_it_says(tmp_path: Path) -> None:
    lines = shell_lines(section("A tour in five lines"))
    assert len(lines) == 5
    told = 0
    with running_server(tmp_path / "data") as server:
        for line in lines:
            curl, url = words(line)
            assert curl == "curl"
            answer = ask(server.url, url.removeprefix("http://127.0.0.1:8080"))
            assert answer.status == 200, line
            if claim := re.search(r"# (\{.*?\})", line):
                assert answer.text == claim[1], line
                told += 1
    assert told == 4


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(monkeypatch, capsys)


def test_the_options_are_those_of_serve(run: CommandLine) -> None:
    rows = re.findall(r"^\| (`--[^|]+) \|", section("Running it").replace("\\|", " "), re.MULTILINE)
    told = {option for row in rows for option in re.findall(r"`(--[a-z-]+)", row)}
    help_text = run("serve", "--help", variables={"COLUMNS": "1000"}).succeeded()
    known = set(re.findall(r"^│ (--[a-z-]+)", help_text, re.MULTILINE))
    assert told == known
    assert len(known) >= 8


def commands() -> list[str]:
    """Every ``tallystick ...`` that the README shows."""
    in_text = re.findall(r"`(tallystick [^`]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))
    return in_text + [line for line in shell_lines(README) if line.startswith("tallystick ")]


@pytest.mark.parametrize("line", commands())
def test_every_command_is_understood(line: str) -> None:
    _, name, *arguments = words(line)
    # It raises what a person would be told: an unknown command or option, a value that is not accepted.
    command_line(name).parse_args([name, *arguments])


def test_every_command_is_shown() -> None:
    shown = {words(line)[1] for line in commands()}
    assert shown == {name for name in command_line(None) if not name.startswith("-")}
    (line,) = (line for line in commands() if line.startswith("tallystick counter list"))
    verbs = {"list", *re.findall(r"\w+", line.partition("# also ")[2])}
    assert verbs == {name for name in counter.app if not name.startswith("-")}


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = {words(line)[1] for line in shell_lines(README) if line.startswith("make ")}
    assert used
    assert used <= targets


def anchors(document: Path) -> set[str]:
    """The headings as GitHub names them."""
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links() -> Iterator[tuple[Path, str]]:
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text("utf-8")):
            if "://" not in target:
                yield document, target


def test_every_link_leads_somewhere() -> None:
    found = list(links())
    assert len(found) >= 4
    for document, target in found:
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), (document, target)
        assert file.is_relative_to(ROOT), (document, target)
        assert not anchor or anchor in anchors(file), (document, target)


def drawn(tree: str) -> Iterator[Path]:
    """The paths of a tree that is drawn by indentation, two spaces a level."""
    above: list[str] = []
    for line in tree.splitlines():
        indent, name = re.match(r"( *)(\S+)", line).groups()  # type: ignore[union-attr]
        above[len(indent) // 2 :] = [name]
        yield ROOT.joinpath(*above)


def test_the_architecture_draws_what_is_there() -> None:
    (tree,) = re.findall(r"```\n(src/tallystick/\n.*?)```", ARCHITECTURE, re.DOTALL)
    told = set(drawn(tree))
    assert [path for path in told if not path.exists()] == []
    for folder in (PACKAGE, PACKAGE / "surfaces"):
        there = {path for path in folder.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
        assert there <= told


@pytest.mark.parametrize("document", [README, ARCHITECTURE], ids=["README", "ARCHITECTURE"])
def test_every_path_it_names_exists(document: str) -> None:
    text = re.sub(r"```.*?```", "", document, flags=re.DOTALL)
    named = set(re.findall(r"`((?:tests|model|services|surfaces|ledger|src|web)/[\w/.]*)`", text))
    assert named
    assert [path for path in named if not (ROOT / path).exists() and not (PACKAGE / path).exists()] == []
