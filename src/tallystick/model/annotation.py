"""Annotations: notes at a date or a minute, which charts show."""

from typing import Literal, TypeAlias

from msgspec import Struct

MAX_ANNOTATIONS = 5_000
"""Of a site's own, without those of the server, of which the newest are kept."""
MAX_OWN_ANNOTATIONS = 1_000
"""Of a person on a site, so that one person cannot take the room of all."""
MAX_ANNOTATION_TEXT = 1_000
MAX_ANNOTATION_LINK = 2_000

AnnotationKind: TypeAlias = Literal["note", "upgrade", "import", "collection", "bots"]
"""``note`` is a person's; the server makes the others."""


class Annotation(Struct, frozen=True, kw_only=True):
    """An annotation of a site. ``created`` and ``updated`` are Unix milliseconds.

    Attributes:
        id: 0 for one that is not stored yet.
        at: a date (``2026-03-10``), or a minute by the clocks of the site's zone (``2026-03-10 14:30``).
        link: an http or https URL, or empty.
        owner: the person whose own it is; None for one of the site, which everybody sees who sees its statistics.
    """

    id: int = 0
    site: int
    at: str
    text: str
    link: str = ""
    kind: AnnotationKind = "note"
    owner: int | None = None
    created: int = 0
    updated: int = 0
