"""Renders templates, serves static files from the package, and sets the headers of every page."""

import asyncio
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from shlex import quote
from textwrap import dedent
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from tallystick.services.accounts.audit import is_superuser
from tallystick.services.accounts.passwords import RULE
from tallystick.surfaces.dashboard.support.forms import form_token
from tallystick.surfaces.dashboard.support.page_request import PageRequest, with_guest_cookie
from tallystick.web.own_address import own_origin

HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}

NOT_STORED = "private, no-store"
# Under no-referrer browsers send "Origin: null" with forms, which the check of forms would refuse.
PRIVATE_HEADERS = {"cache-control": NOT_STORED, "referrer-policy": "same-origin"}
"""Headers that differ on pages with forms or for one person."""

FOLDER = Path(__file__).parent.parent
"""Templates lie beside the handlers that render them; a template's name is its path from here."""

STATIC_FOLDER = FOLDER / "static"
_code = re.compile(r"`([^`]+)`")


class Renderer:
    """Renders a template with its values as a response."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters["paragraphs"] = paragraphs
        self._environment.filters["phrase"] = phrase
        self._environment.filters["moment"] = moment
        self._environment.tests["holding"] = holding
        self._environment.filters["shell"] = quote
        self._environment.globals["password_rule"] = RULE
        self._environment.globals["static"] = lambda name: f"/static/{name}?v={_VERSIONS[name]}"

    def page(self, request: PageRequest, template: str, values: Mapping[str, Any], status: int = 200) -> Response:
        """Render a page. Reads the template's file the first time, so call it on a thread."""
        nonce = secrets.token_urlsafe(16)
        person = request.principal.account if request.principal else None
        text = self._environment.get_template(template).render(
            values,
            origin=own_origin(request.http.scope),
            nonce=nonce,
            person=person,
            recent=request.recent,
            superuser=person is not None and is_superuser(person),
            needs_setup=request.needs_setup,
            form_token=form_token(request.secret),
            done=request.http.query_params.get("done"),
        )
        headers = {**HEADERS, "content-security-policy": policy(nonce)}
        if person:
            # The page's header shows the person's name.
            headers["cache-control"] = NOT_STORED
        return HTMLResponse(text, status, headers)

    async def private_page(
        self, request: PageRequest, template: str, values: Mapping[str, Any], status: int = 200
    ) -> Response:
        """Render a page with forms, or with content for one person only."""
        response = await asyncio.to_thread(self.page, request, template, values, status)
        response.headers.update(PRIVATE_HEADERS)
        return with_guest_cookie(request, response)


def policy(nonce: str) -> str:
    """The Content-Security-Policy of a page.

    Scripts need a nonce, not ``'self'``: this host also serves JSONP, a function call of the client's choice.
    """
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def moment(milliseconds: int | None) -> Markup:
    """A time, to the minute and in UTC."""
    if milliseconds is None:
        return Markup("never")
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        at.isoformat(timespec="seconds"), f"{at.day} {at:%b %Y, %H:%M} UTC"
    )


def holding(bits: int, bit: int) -> bool:
    """Whether ``bits`` contains ``bit``."""
    return bool(bits & bit)


def phrase(text: str) -> Markup:
    """Escape a text and turn backticks into ``<code>``."""
    return Markup(_code.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped before the tags come


def paragraphs(text: str) -> Markup:
    """Turn a text with empty lines between its parts into ``<p>`` elements, parts of lines with ``- `` into lists."""
    return Markup("\n").join(map(_paragraph, text.split("\n\n")))


def _paragraph(text: str) -> Markup:
    text = dedent(text.strip("\n")).strip()
    if not text.startswith("- "):
        return Markup("<p>{}</p>").format(phrase(text))
    items = (" ".join(item.split()) for item in re.split(r"^- ", text, flags=re.MULTILINE)[1:])
    return Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(phrase(item)) for item in items))


def _version(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()[:12]


_VERSIONS = {file.name: _version(file) for file in STATIC_FOLDER.iterdir()}


class _Static(StaticFiles):
    """Static files: immutable when the address has the hash of the content, else revalidated each time."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        current = scope["query_string"] == f"v={_VERSIONS.get(path)}".encode()
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if current else "no-cache"
        response.headers["x-content-type-options"] = "nosniff"
        return response


STATIC = _Static(directory=STATIC_FOLDER)
