"""Bring the catalogs of the pages up to date with the texts in code and templates.

Adds new texts, empty, to ``locale/<code>/<subject>.po`` and takes out those that are gone; translations are kept. A
text that several subjects use is in one file only. ``tests/surfaces/dashboard/test_language.py`` fails while one is
empty.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

SOURCE = Path(__file__).resolve().parent.parent / "src" / "tallystick"
DASHBOARD = SOURCE / "surfaces" / "dashboard"
LOCALE = DASHBOARD / "locale"
SHARED = "support"
"""The subject of texts that several folders of the dashboard have, or none."""

KEYWORDS = {
    "_": None,
    "N_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
TEMPLATE_OPTIONS = {"silent": "false", "trimmed": "true", "trim_blocks": "true", "lstrip_blocks": "true"}

HEADER = r"""msgid ""
msgstr ""
"Language: {code}\n"
"Content-Type: text/plain; charset=utf-8\n"
"Plural-Forms: {plural_forms}\n"

"""

Key = tuple[str | None, str | tuple[str, ...]]
"""A text's context, and the text or its singular and plural."""


def files() -> Iterator[tuple[Path, str]]:
    """Every file that may have texts, with the name of its extractor."""
    for file in sorted(SOURCE.rglob("*.py")):
        yield file, "python"
    for file in sorted(DASHBOARD.rglob("*.html")):
        yield file, "jinja2.ext:babel_extract"


def texts() -> dict[Key, list[Path]]:
    """Every marked text with the files that have it.

    Raises:
        jinja2.TemplateSyntaxError: a template cannot be read.
    """
    found: dict[Key, list[Path]] = {}
    for file, method in files():
        with file.open("rb") as lines:
            for _, text, _, context in extract(method, lines, KEYWORDS, options=TEMPLATE_OPTIONS):
                found.setdefault((context, text), []).append(file)
    return found


def catalogs(code: str) -> dict[str, Catalog]:
    """The catalogs of a language by subject."""
    read = {}
    for file in sorted((LOCALE / code).glob("*.po")):
        with file.open("rb") as lines:
            read[file.stem] = read_po(lines, locale=code)
    return read


def messages(catalog: Catalog) -> Iterator[Message]:
    """A catalog's messages without its header."""
    return (message for message in catalog if message.id)


def key_of(message: Message) -> Key:
    """What identifies a message."""
    return message.context, tuple(message.id) if isinstance(message.id, list | tuple) else message.id


def subject_of(places: Sequence[Path]) -> str:
    """The name of the catalog for a new text: the only folder of the dashboard that has it."""
    inside = {file.relative_to(DASHBOARD).parts[:-1] for file in places if file.is_relative_to(DASHBOARD)}
    subjects = {parts[0] for parts in inside if parts}
    return subjects.pop() if len(subjects) == 1 else SHARED


def updated(code: str, found: Mapping[Key, list[Path]]) -> dict[str, Catalog]:
    """The catalogs of a language with exactly the texts that were found."""
    old, new, done = catalogs(code), {}, set()
    for subject, catalog in old.items():
        new[subject] = Catalog(locale=code)
        for message in messages(catalog):
            if (key := key_of(message)) in found and key not in done:
                done.add(key)
                _add(new[subject], key, found[key], message)
    for key, places in found.items():
        if key not in done:
            _add(new.setdefault(subject_of(places), Catalog(locale=code)), key, places)
    return new


def _add(catalog: Catalog, key: Key, places: list[Path], old: Message | None = None) -> None:
    context, text = key
    names = sorted({file.relative_to(SOURCE).as_posix() for file in places})
    catalog.add(
        text,
        old.string if old else None,
        [(name, None) for name in names],
        old.flags if old else (),
        user_comments=old.user_comments if old else (),
        context=context,
    )


def write(code: str, subject: str, catalog: Catalog) -> None:
    """Write a catalog; delete the file of an empty one."""
    file = LOCALE / code / f"{subject}.po"
    if not any(messages(catalog)):
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as lines:
        # No line numbers, no date: a change shows only what changed.
        lines.write(HEADER.format(code=code, plural_forms=catalog.plural_forms).encode())
        write_po(lines, catalog, width=110, omit_header=True, sort_by_file=True, include_lineno=False)


def main() -> None:
    """Update the catalogs of every language and print what is left to translate."""
    found = texts()
    for folder in sorted(LOCALE.iterdir()):
        for subject, catalog in updated(folder.name, found).items():
            write(folder.name, subject, catalog)
            left = [message.id for message in messages(catalog) if not message.string or message.string == ("", "")]
            for text in left:
                print(f"{folder.name}/{subject}.po: {text}")


if __name__ == "__main__":
    main()
