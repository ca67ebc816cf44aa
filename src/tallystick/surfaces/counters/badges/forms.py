"""A badge in each of its forms: SVG, PNG, JSON for other servers of badges, and text."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256

import msgspec

from tallystick.errors import InvalidFields
from tallystick.model.badge import BadgeLook, Form
from tallystick.surfaces.counters.badges.keeping import Drawn
from tallystick.surfaces.counters.badges.png import png_image, writable
from tallystick.surfaces.counters.badges.styles import LABEL, MESSAGE, scene_of
from tallystick.surfaces.counters.badges.svg import svg_document
from tallystick.web.answers import JSON, PNG

SVG = b"image/svg+xml; charset=utf-8"
TEXT = b"text/plain; charset=utf-8"
CACHE_S = 300
"""The shortest time for which Shields keeps what it was told."""
NOT_WRITABLE = "has characters that PNG badges cannot show: they write Latin, Greek and Cyrillic. An SVG shows all"

_POLICY = b"default-src 'none'; sandbox"
_encode = msgspec.json.Encoder().encode


def badge_as(  # noqa: PLR0913  # the parts of a badge
    form: Form, label: str, message: str, look: BadgeLook, *, line: Sequence[int] = (), is_error: bool = False
) -> Drawn:
    """A badge in a form. Takes milliseconds: not on the event loop.

    Args:
        label: empty for none.
        line: values of a sparkline, of pictures; none for no line.

    Raises:
        InvalidFields: a PNG cannot show its texts.
    """
    if form == "json":
        return Drawn(_shields(label, message, look, is_error=is_error), JSON, _POLICY)
    if form == "txt":
        return Drawn(message.encode("utf-8", "replace"), TEXT, _POLICY)
    scene = scene_of(label, message, look, line)
    if form == "png":
        for field, text in (("label", label), ("message", message)):
            if look.style != "digits" and not writable(text):
                raise InvalidFields({field: [NOT_WRITABLE]})
        return Drawn(png_image(scene, look.scale), PNG, _POLICY)
    document = svg_document(scene)
    return Drawn(document.text.encode(), SVG, _svg_policy(document.style))


def _shields(label: str, message: str, look: BadgeLook, *, is_error: bool) -> bytes:
    """JSON in the schema of Shields' endpoint badge, which refuses members that it does not know."""
    told = {
        "schemaVersion": 1,
        "label": label,
        "message": message,
        "color": (look.color or MESSAGE.light).removeprefix("#"),
        "labelColor": (look.label_color or LABEL.light).removeprefix("#"),
        "isError": is_error,
        "cacheSeconds": CACHE_S,
    }
    if look.style != "digits":
        told["style"] = look.style
    return _encode(told)


def _svg_policy(style: str) -> bytes:
    if not style:
        return _POLICY
    digest = b64encode(sha256(style.encode()).digest())
    return b"default-src 'none'; style-src 'sha256-%s'; sandbox" % digest
