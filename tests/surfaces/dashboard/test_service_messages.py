"""What services say of refused input, in the languages of the pages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tallystick
from tallystick.surfaces.dashboard.support.language import Languages
from tallystick.surfaces.dashboard.support.service_messages import PATTERNS, sentence, translated

SOURCE = Path(tallystick.__file__).parent
SHOWN = (
    *("model/badge.py", "model/email.py", "model/line.py", "model/site_rules.py"),
    *(f"services/accounts/{name}.py" for name in ("accounts", "passwords", "people", "setup", "sites", "tokens")),
)
"""Files whose messages pages show."""

VALUE = "\0"
ENGLISH, GERMAN = (language for language in Languages.load() if language.code in {"en", "de"})
_of_a_field = re.compile(r"(must|cannot|is one of|already) ")


def as_source(pattern: str) -> str:
    """A pattern with the same mark for every value as ``texts_of``."""
    return re.sub(r"%\(\w+\)s", VALUE, pattern)


def text_of(node: ast.expr) -> str | None:
    """The text of a string or f-string, with a mark in place of each value."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(text_of(part) or VALUE for part in parts)
    return None


def texts_of(file: Path) -> Iterator[str]:
    """Every string and f-string of a file."""
    nodes = list(ast.walk(ast.parse(file.read_text("utf-8"))))
    parts = {id(part) for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in nodes:
        if isinstance(node, ast.expr) and id(node) not in parts and (text := text_of(node)):
            yield text


def refusals_of(file: Path) -> Iterator[str]:
    """The messages with which a file refuses input."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        for block in (getattr(node, "body", None), getattr(node, "orelse", None)):
            for first, second in zip(block or (), (block or ())[1:], strict=False) if isinstance(block, list) else ():
                match first, second:
                    case ast.Assign(value=value), ast.Raise(exc=ast.Call(func=ast.Name(id=name))) if name in {
                        "InputRefused",
                        "NotPermitted",
                    }:
                        yield text_of(value) or ""
    yield from (text for text in texts_of(file) if _of_a_field.match(text))


def test_every_pattern_is_the_text_of_a_service() -> None:
    folders = ("services", "model", "warehouse", "surfaces/dashboard/analytics")
    files = (file for folder in folders for file in (SOURCE / folder).rglob("*.py"))
    texts = {text for file in files for text in texts_of(file)}

    def is_there(text: str) -> bool:
        return text in texts or any(text.startswith(start) and text[len(start) :] in texts for start in texts)

    assert not [pattern for pattern in PATTERNS if not is_there(as_source(pattern))]


@pytest.mark.parametrize("file", SHOWN)
def test_every_refusal_that_pages_show_has_a_pattern(file: str) -> None:
    texts = {text for text in refusals_of(SOURCE / file) if text}
    assert texts
    known = {as_source(pattern) for pattern in PATTERNS}
    assert sorted(texts - known) == []


@pytest.mark.parametrize(
    ("text", "german"),
    [
        ("must be set", "bitte ausfüllen"),
        ("must be shorter than 201 characters", "muss kürzer als 201 Zeichen sein"),
        ("is one of the 10,000 most common ones; choose another", "gehört zu den 10.000 häufigsten; bitte ein anderes"),
        ("there is no site 1234", "es gibt keine Website 1234"),
        ("the site has a goal 'Pages' already", "auf dieser Website gibt es schon: Ziel 'Pages'"),
        ("period: 'soon' is not a period", "Zeitraum: 'soon' ist kein Zeitraum"),
        ("cannot be ‘100%’", "darf nicht „100%“ sein"),  # noqa: RUF001
        ("a text that nobody knows", "a text that nobody knows"),
        ("", ""),
    ],
)
def test_messages_keep_their_values(text: str, german: str) -> None:
    assert translated(GERMAN, text).startswith(german)
    assert translated(ENGLISH, text) == text


def test_a_message_about_the_whole_form_is_a_sentence() -> None:
    assert sentence(GERMAN, "there is no such person") == "Diese Person gibt es nicht."
    assert sentence(ENGLISH, "You are late.") == "You are late."
    # An address stays as it is written.
    assert sentence(ENGLISH, "ada@example.com has no site yet") == "ada@example.com has no site yet."
