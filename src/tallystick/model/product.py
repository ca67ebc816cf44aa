"""Names of browsers and systems with their version in one text, as GoatCounter's CSV writes them."""

from tallystick.model.text import storable

LONGEST = 200
"""Characters of a browser or system; the rest is cut off."""

_UNDIVIDED = frozenset({"Chrome OS", "Windows Phone"})
"""Names of two words, which other programs write without a space for the version that is missing."""


def named_version(text: str) -> tuple[str, str]:
    """A name, and the version behind its last space; a space at the end stands for no version."""
    text = storable(text[:LONGEST])
    if text.strip() in _UNDIVIDED:
        return text.strip(), ""
    name, space, version = text.rpartition(" ")
    return (name.strip(), version) if space else (text, "")


def with_version(name: str, version: str) -> str:
    """The text that ``named_version`` divides into these; empty without a name."""
    return f"{name} {version}" if name else ""
