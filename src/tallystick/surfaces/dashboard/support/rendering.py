"""Templates and static files, from the package itself, and the headers that every page carries."""

import asyncio
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from shlex import quote
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

# The origin of a form that was sent is told only under a policy that tells it to ourselves.
NOT_KEPT = "private, no-store"
FOR_ONE_PERSON = {"cache-control": NOT_KEPT, "referrer-policy": "same-origin"}
"""What is different in pages for one person."""

FOLDER = Path(__file__).parent.parent
"""Templates lie beside the handlers that show them and are named by their path from here."""

STATIC_FOLDER = FOLDER / "static"
_code = re.compile(r"`([^`]+)`")


class Renderer:
    """Turns a template and its values into an answer."""

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

    def page(self, asked: PageRequest, template: str, values: Mapping[str, Any], status: int = 200) -> Response:
        """A page. Blocks while a template is read for the first time, so call it on a thread."""
        nonce = secrets.token_urlsafe(16)
        text = self._environment.get_template(template).render(
            values,
            origin=own_origin(asked.request.scope),
            nonce=nonce,
            person=asked.person,
            recent=asked.recent,
            superuser=asked.person is not None and is_superuser(asked.person),
            needs_setup=asked.needs_setup,
            form_token=form_token(asked.secret),
            said=asked.request.query_params.get("done"),
        )
        headers = {**HEADERS, "content-security-policy": policy(nonce)}
        if asked.person:
            # The bar names the person.
            headers["cache-control"] = NOT_KEPT
        return HTMLResponse(text, status, headers)

    async def private_page(
        self, asked: PageRequest, template: str, values: Mapping[str, Any], status: int = 200
    ) -> Response:
        """A page with forms, or with something that only one person may see."""
        response = await asyncio.to_thread(self.page, asked, template, values, status)
        response.headers.update(FOR_ONE_PERSON)
        return with_guest_cookie(asked, response)


def policy(nonce: str) -> str:
    """What a page may load.

    Scripts carry a nonce: answers of the API in a function call of the client's choice come from this host too.
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
    """Whether a number has a bit."""
    return bool(bits & bit)


def phrase(text: str) -> Markup:
    """A description's text: what stands in backticks is code."""
    return Markup(_code.sub(r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped before the tags come


def paragraphs(text: str) -> Markup:
    """A description's text of several paragraphs, divided by empty lines."""
    return Markup("\n").join(Markup("<p>{}</p>").format(phrase(part.strip())) for part in text.split("\n\n"))


def _version(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()[:12]


_VERSIONS = {file.name: _version(file) for file in STATIC_FOLDER.iterdir()}


class _Static(StaticFiles):
    """Files that browsers keep: for good when the address names the content, else until they have asked."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        current = scope["query_string"] == f"v={_VERSIONS.get(path)}".encode()
        response.headers["cache-control"] = "public, max-age=31536000, immutable" if current else "no-cache"
        response.headers["x-content-type-options"] = "nosniff"
        return response


STATIC = _Static(directory=STATIC_FOLDER)
