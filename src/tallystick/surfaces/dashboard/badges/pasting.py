"""What is copied of a badge."""

import re
from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import quote, urlencode

from tallystick.model.badge import FIELDS, FORMS


def badge_address(url: str, name: str, form: str, query: Mapping[str, str]) -> str:
    """The address of a badge with the parameters that were typed."""
    typed = {field: query[field] for field in FIELDS if query.get(field)}
    return f"{url}/badge/{name}.{form}" + (f"?{urlencode(typed, quote_via=quote)}" if typed else "")


def badge_page(name: str) -> str:
    """The path of a counter's page. What ends like a badge is one, so that such keys have theirs a step below."""
    ends_like_a_badge = name.rpartition(".")[2] in FORMS
    return f"/badge/{name}/page" if ends_like_a_badge else f"/badge/{name}"


def snippets(address: str, text: str) -> Sequence[tuple[str, str]]:
    """What is pasted to show a badge: the name of each language, and the text in it.

    Args:
        text: what stands in the place of the picture where it cannot be shown.
    """
    line = " ".join(text.split())
    markdown, asciidoc = re.sub(r"([\\\[\]])", r"\\\1", line), line.replace('"', '\\"')
    return (
        ("Markdown", f"![{markdown}]({address})"),
        ("HTML", f'<img src="{escape(address)}" alt="{escape(line)}">'),
        ("reStructuredText", f".. image:: {address}\n   :alt: {line}"),
        ("AsciiDoc", f'image:{address}["{asciidoc}"]'),
        ("URL", address),
    )
