"""Sanitizes the visitor counter's ``style``: untrusted CSS in a link.

Only rules with plain selectors, known families of properties and plain values remain. They cannot load anything, end
their element, or affect anything outside of the counter.
"""

import re
from collections.abc import Iterator

LONGEST = 2_000

FUNCTIONS = frozenset(  # "" are plain parentheses, inside of calc
    {"", "calc", "clamp", "hsl", "hsla", "hwb", "lab", "lch", "max", "min", "oklab", "oklch", "rgb", "rgba"}
)

_comment = re.compile(r"/\*.*?\*/", re.DOTALL)
_brace = re.compile(r"([{}])")
_selector = re.compile(r"[\w\s.,:>+~#*-]{1,200}", re.ASCII)
_property = re.compile(
    "(?:background|border|box|color|display|fill|font|height|letter|line|margin|max|min|opacity|outline|overflow|padding"
    "|stroke|text|vertical|visibility|white|width|word)(?:-[a-z]+)*|r[xy]"
)
_value = re.compile(r"(?:[\w\s.,#%!()+*/-]|'[\w .-]*'|\"[\w .-]*\"){1,200}", re.ASCII)
_function = re.compile(r"(-*[A-Za-z_][\w-]*|)\s*\(")


def safe_style(css: str) -> str:
    """The harmless rules of a style sheet. Declarations without a selector are taken to mean the whole counter."""
    css = _comment.sub(" ", css)
    if "{" not in css:
        css = f"body, #gcvc {{ {css} }}"
    return "\n".join(rule for selector, declarations in _rules(css) if (rule := _safe_rule(selector, declarations)))


def _rules(css: str) -> Iterator[tuple[str, str]]:
    """Selectors and declarations, without nested rules, which apply under conditions such as ``@media`` only."""
    depth, nested = 0, False
    selector = text = ""
    for part in _brace.split(css):
        if part == "{":
            depth, nested = depth + 1, depth > 0
            selector = selector if nested else text.rpartition(";")[2]  # @import ends with a semicolon
        elif part == "}":
            if depth == 1 and not nested:
                yield selector, text
            depth = max(depth - 1, 0)
        text = part


def _safe_rule(selector: str, declarations: str) -> str:
    selector = " ".join(selector.split())
    kept = [f"{name}: {value};" for name, value in map(_split, declarations.split(";")) if _is_safe(name, value)]
    return f"{selector} {{ {' '.join(kept)} }}" if kept and _selector.fullmatch(selector) else ""


def _split(declaration: str) -> tuple[str, str]:
    name, _, value = declaration.partition(":")
    return name.strip().lower(), " ".join(value.split())


def _is_safe(name: str, value: str) -> bool:
    """A value is plain when a browser cannot read more into it than names, numbers, colours and known functions."""
    return (
        _property.fullmatch(name) is not None
        and _value.fullmatch(value) is not None
        and "/*" not in value
        and all(function.lower() in FUNCTIONS for function in _function.findall(value))
    )
