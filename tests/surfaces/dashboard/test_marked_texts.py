"""Every text that a template shows is marked for translation."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from tallystick.surfaces.dashboard.support.rendering import FOLDER

TEMPLATES = sorted(file.relative_to(FOLDER).as_posix() for file in FOLDER.rglob("*.html"))
SAME_EVERYWHERE = {"Tallystick", "API", "OpenAPI", "CSV", "JSON"}
"""Names that no language translates."""

IN_ATTRIBUTES = {"title", "aria-label", "aria-description", "aria-roledescription", "placeholder", "alt"}
NOT_WORDS = {"code", "pre", "script", "style", "kbd"}
TRANSLATING = {"_", "gettext", "ngettext", "pgettext", "npgettext"}
JINJA = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)

_attribute = re.compile(r"""[\w-]+="[^"]*"|[\w-]+='[^']*'""")
"""As macros write them, outside of any tag of their own."""

_word = re.compile(r"[^\W\d_]{2,}")
_prose = re.compile(r"[A-Z][a-z]+$|[A-Z]?[a-z]+ [A-Za-z]")


class Shown(HTMLParser):
    """Collects the texts and spoken attributes of a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.texts += [value for name, value in attrs if value and name in IN_ATTRIBUTES]
        attributes = dict(attrs)
        if tag == "meta" and attributes.get("name") == "description":
            self.texts.append(attributes["content"] or "")
        if tag in NOT_WORDS:
            self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.texts.append(data)


def outside_of_jinja(source: str) -> str:
    """A template's HTML without expressions, statements and translated blocks."""
    parts: list[str] = []
    statement: list[str] = []
    translated = in_statement = False
    for _, kind, value in JINJA.lex(source):
        if kind == "block_begin":
            statement, in_statement = [], True
        elif kind == "block_end":
            in_statement = False
            translated = statement[:1] == ["trans"] or (translated and statement[:1] != ["endtrans"])
        elif in_statement and kind == "name":
            statement.append(value)
        elif kind == "data" and not translated:
            parts.append(value)
    return "".join(parts)


def unmarked_html(source: str) -> list[str]:
    """Words in a template's HTML that are not marked."""
    shown = Shown()
    shown.feed(outside_of_jinja(source))
    shown.close()
    return [
        word for text in shown.texts for word in _word.findall(_attribute.sub("", text)) if word not in SAME_EVERYWHERE
    ]


def unmarked_strings(source: str) -> list[str]:
    """Strings in a template's expressions that read like prose and are not marked."""
    strings = (_attribute.sub("", text) for text in strings_of(JINJA.parse(source)))
    return [text for text in strings if _prose.match(text) and text not in SAME_EVERYWHERE]


def strings_of(node: nodes.Node) -> Iterator[str]:
    """The strings below a node, but not what is translated, compared, or a name."""
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in TRANSLATING:
        for argument in (*node.args[2:], *(keyword.value for keyword in node.kwargs)):
            yield from strings_of(argument)
    elif isinstance(node, nodes.Const):
        if isinstance(node.value, str):
            yield node.value
    elif not isinstance(node, nodes.Compare | nodes.Include | nodes.Import | nodes.FromImport | nodes.Extends):
        for child in node.iter_child_nodes():
            yield from strings_of(child)


def found_in(source: str) -> list[str]:
    return unmarked_html(source) + unmarked_strings(source)


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_show_marked_texts_only(template: str) -> None:
    assert not found_in((FOLDER / template).read_text("utf-8")), "wrap it in _(), ngettext() or {% trans %}"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<p>Hello</p>", ["Hello"]),
        ('<p title="Hello">{{ _("Bye") }}</p>', ["Hello"]),
        ('<input placeholder="{{ _("Hello") }}">', []),
        ("{% trans %}<p>Hello</p>{% endtrans %}<p>there</p>", ["there"]),
        ("{% trans name=name %}Hello {{ name }}{% endtrans %}", []),
        ("{% if open %}Hello{% endif %}", ["Hello"]),
        ("<code>curl</code> <pre>Hello</pre> · 12 Tallystick", []),
        ('{{ "Hello" if late else _("Bye") }}', ["Hello"]),
        ('{{ field("name", "Your name", _("Hint")) }}', ["Your name"]),
        ('{% if kind == "UpDown" %}{% endif %}', []),
        ('{{ ngettext("%(num)s page", "%(num)s pages", count) }}', []),
        ('{{ field("name", extra=\'autofocus spellcheck="false"\' | safe) }}', []),
        ('<meta name="description" content="Hello">', ["Hello"]),
    ],
)
def test_what_is_not_marked_is_found(source: str, words: list[str]) -> None:
    assert found_in(source) == words


def test_every_template_is_looked_at() -> None:
    assert "support/base.html" in TEMPLATES
    assert all((Path(FOLDER) / template).is_file() for template in TEMPLATES)
