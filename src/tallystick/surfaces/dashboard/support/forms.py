"""Reads submitted forms within limits, and refuses forms of other sites."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from hmac import compare_digest
from urllib.parse import parse_qs

from starlette.exceptions import HTTPException
from starlette.requests import Request

from tallystick.services.analytics.kept.keeping import Object
from tallystick.web.bodies import body_of
from tallystick.web.own_address import is_own_origin

MOST_BYTES = 65_536
MOST_FIELDS = 2_000
TOKEN_FIELD = "token"  # noqa: S105  # a field's name
TOKEN_BYTES = 32
DIGITS_OF_ID = 18
_OURSELVES = ("same-origin", "none")
"""``Sec-Fetch-Site`` of forms on our own pages."""

_FORM = "application/x-www-form-urlencoded"


class Form:
    """The fields of a submitted form."""

    def __init__(self, fields: Mapping[str, Sequence[str]] | None = None) -> None:
        self._fields = fields or {}

    def text(self, name: str) -> str:
        """A field's value without surrounding spaces; empty when the field is missing."""
        return self.exactly(name).strip()

    def exactly(self, name: str) -> str:
        """A field's value exactly as typed, for passwords; empty when the field is missing."""
        return self.all(name)[0] if name in self._fields else ""

    def all(self, name: str) -> Sequence[str]:
        """All values of a field, for checkboxes that share a name."""
        return self._fields.get(name, ())

    def names(self) -> Sequence[str]:
        """The names of all submitted fields."""
        return list(self._fields)

    def checked(self, name: str) -> bool:
        """Whether a checkbox is ticked."""
        return name in self._fields

    def numbers(self, name: str) -> tuple[int, ...]:
        """The values of a field that are whole numbers; others are left out."""
        return tuple(int(text) for text in self.all(name) if _is_number(text))


async def read_form(request: Request) -> Form:
    """Read a request's body as a form.

    Raises:
        HTTPException: the body is not a form (415), or too large (413).
        BodyRefused: the body is incomplete, or too slow.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise HTTPException(415)
    body = await body_of(request.scope, request.receive, MOST_BYTES)
    if body is None:
        raise HTTPException(413)
    try:
        text = body.decode("utf-8", "replace")
        return Form(parse_qs(text, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError as error:
        raise HTTPException(413) from error


def form_token(secret: str) -> str:
    """A token for forms of the browser that holds the cookie with this secret (CSRF protection).

    Each one differs: it is sent compressed in pages that also repeat parts of the address, and the length of such a
    page would tell a token that stays the same, guess by guess (BREACH).
    """
    pad = secrets.token_bytes(TOKEN_BYTES)
    return (pad + _xor(pad, _unmasked_token(secret))).hex()


def is_form_token(secret: str, token: str) -> bool:
    """Whether ``form_token`` made a token for this secret."""
    try:
        masked = bytes.fromhex(token)
    except ValueError:
        return False
    pad, rest = masked[:TOKEN_BYTES], masked[TOKEN_BYTES:]
    return len(rest) == TOKEN_BYTES and compare_digest(_xor(pad, rest), _unmasked_token(secret))


def _unmasked_token(secret: str) -> bytes:
    return blake2b(secret.encode("utf-8", "replace")[:64], digest_size=TOKEN_BYTES, person=b"form token").digest()


def _xor(pad: bytes, text: bytes) -> bytes:
    return bytes(each ^ other for each, other in zip(pad, text, strict=True))


def refuse_foreign(request: Request, form: Form, secret: str) -> None:
    """Refuse forms that another site sends in a person's name (CSRF).

    Raises:
        HTTPException: the form is not from one of our pages, or its token is wrong (403).
    """
    if not _from_ourselves(request) or not is_form_token(secret, form.text(TOKEN_FIELD)):
        raise HTTPException(403)


def refuse_other_sites(request: Request) -> None:
    """Refuse forms that the browser says are on another site's page.

    ``Origin`` is not read: it is ``null`` on our pages with ``Referrer-Policy: no-referrer``.

    Raises:
        HTTPException: another site's page has the form (403).
    """
    if request.headers.get("sec-fetch-site", "none") not in _OURSELVES:
        raise HTTPException(403)


def _from_ourselves(request: Request) -> bool:
    """Whether the browser says that the form is on one of our pages. Old browsers and programs send no such header."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in _OURSELVES
    origin = request.headers.get("origin")
    return origin is None or is_own_origin(origin, request.scope)


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and text.isascii() and len(text) <= 15  # noqa: PLR2004  # below 2^53


def number_in(text: str, digits: int) -> int | None:
    """The number that a text of at most so many digits is; None for any other text."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= digits else None


def one_of(objects: Iterable[Object], text: str) -> Object:
    """The object with the id that stands in an address or a form.

    Raises:
        HTTPException: there is none (404).
    """
    number = number_in(text, DIGITS_OF_ID)
    for each in objects:
        if each.id == number:
            return each
    raise HTTPException(404)
