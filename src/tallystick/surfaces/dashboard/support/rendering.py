"""Renders templates, serves static files from the package, and sets the headers of every page."""

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import partial
from pathlib import Path
from shlex import quote
from textwrap import dedent
from typing import Any, cast

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from tallystick.services.accounts.audit import is_superuser
from tallystick.services.accounts.passwords import RULE
from tallystick.surfaces.dashboard.support.addresses import under
from tallystick.surfaces.dashboard.support.forms import form_token
from tallystick.surfaces.dashboard.support.language import N_, Language, Languages
from tallystick.surfaces.dashboard.support.page_request import PageRequest, with_guest_cookie
from tallystick.surfaces.dashboard.support.service_messages import sentence, translated
from tallystick.surfaces.dashboard.support.static_files import static_address
from tallystick.web.own_address import own_base, own_origin, own_url

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

FORMATS = (
    "number",
    "signed",
    "compact",
    "percent",
    "day",
    "short_day",
    "long_day",
    "month",
    "short_month",
    "weekday",
    "hour",
    "clock",
    "duration",
    "size",
    "listed",
    "country_name",
    "language_name",
)
"""Methods of ``Language`` that are filters of templates."""

THEMES = ("light", "dark")
"""Themes that a person can choose in place of the browser's."""

log = structlog.get_logger()

_code = re.compile(r"`([^`]+)`")


class Renderer:
    """Renders a template with its values as a response, in the language of the request."""

    def __init__(self, languages: Languages) -> None:
        # Pages are rendered on several threads at once, so an environment never changes its language.
        self._environments = {language.code: environment(language, languages) for language in languages}

    def page(self, request: PageRequest, template: str, values: Mapping[str, Any], status: int = 200) -> Response:
        """Render a page. Reads the template's file the first time, so call it on a thread."""
        text, headers = self._rendered(request, template, values)
        return HTMLResponse(text, status, headers)

    async def private_page(
        self, request: PageRequest, template: str, values: Mapping[str, Any], status: int = 200
    ) -> Response:
        """Render a page with forms, or with content for one person only."""
        response = await asyncio.to_thread(self.page, request, template, values, status)
        response.headers.update(PRIVATE_HEADERS)
        return with_guest_cookie(request, response)

    async def private_text(
        self, request: PageRequest, template: str, values: Mapping[str, Any]
    ) -> tuple[str, dict[str, str]]:
        """A page as ``private_page`` renders it, and its headers: for a page that is sent in parts."""
        text, headers = await asyncio.to_thread(self._rendered, request, template, values)
        return text, headers | PRIVATE_HEADERS

    async def fragment(self, request: PageRequest, template: str, values: Mapping[str, Any]) -> str:
        """Render a part of a page. One that cannot be rendered says so in its place: the page has begun already."""
        found, language = self._environments[request.language.code].get_template, request.language
        try:
            return await asyncio.to_thread(
                lambda: under(own_base(request.http.scope), found(template).render(values, language=language))
            )
        except Exception:
            log.exception("a part of a page could not be rendered", surface="dashboard", template=template)
            return await asyncio.to_thread(lambda: found("support/failed_part.html").render())

    def part(self, language: Language, template: str, values: Mapping[str, Any]) -> Markup:
        """Render a part that many pages have alike, to be kept. Call it on a thread."""
        return Markup(self._environments[language.code].get_template(template).render(values))  # noqa: S704  # escapes

    def _rendered(self, request: PageRequest, template: str, values: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
        nonce = secrets.token_urlsafe(16)
        person = request.principal.account if request.principal else None
        text = (
            self._environments[request.language.code]
            .get_template(template)
            .render(
                values,
                language=request.language,
                theme=person.settings.theme if person and person.settings.theme in THEMES else "",
                own_address=own_address(request),
                embedded=request.http.query_params.get("embed") == "1",
                origin=own_origin(request.http.scope),
                base_path=own_base(request.http.scope),
                own_url=own_url(request.http.scope),
                nonce=nonce,
                person=person,
                recent=request.recent,
                superuser=person is not None and is_superuser(person),
                needs_setup=request.needs_setup,
                form_token=form_token(request.secret),
                done=request.http.query_params.get("done"),
            )
        )
        headers = {
            **HEADERS,
            "content-security-policy": policy(nonce),
            "content-language": request.language.code,
            "vary": "accept-language, cookie",
        }
        if person:
            # The page's header shows the person's name.
            headers["cache-control"] = NOT_STORED
        return under(own_base(request.http.scope), text), headers


def policy(nonce: str) -> str:
    """The Content-Security-Policy of a page.

    Scripts need a nonce, not ``'self'``: this host also serves JSONP, a function call of the client's choice.
    """
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "manifest-src 'self'; worker-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'; trusted-types tallystick"
    )


def environment(language: Language, languages: Languages) -> Environment:
    """Jinja for one language: ``_()``, ``ngettext()`` and ``{% trans %}`` translate, and filters format."""
    jinja = Environment(
        loader=FileSystemLoader(FOLDER),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    jinja.policies["ext.i18n.trimmed"] = True
    cast("Any", jinja).install_gettext_callables(
        language.gettext, language.ngettext, newstyle=True, pgettext=language.pgettext, npgettext=language.npgettext
    )
    jinja.filters.update({name: _format(name) for name in FORMATS})
    jinja.filters["translated"] = partial(translated, language)
    jinja.filters["sentence"] = partial(sentence, language)
    jinja.filters["moment"] = moment
    jinja.filters["paragraphs"] = paragraphs
    jinja.filters["phrase"] = phrase
    jinja.filters["shell"] = quote
    jinja.tests["holding"] = holding
    jinja.globals["language"], jinja.globals["languages"] = language, languages
    jinja.globals["password_rule"] = translated(language, RULE)
    jinja.globals["static"] = static_address
    return jinja


def _format(name: str) -> Callable[..., str]:
    """The filter that is a method of the page's language, which has the person's formats."""

    @pass_context
    def formatted(context: Context, *arguments: Any) -> str:  # noqa: ANN401  # as the method takes them
        return str(getattr(context["language"], name)(*arguments))

    return formatted


@pass_context
def moment(context: Context, milliseconds: int | None, zone: tzinfo | None = None) -> Markup:
    """A time, to the minute; in the person's zone unless another one is given."""
    language: Language = context["language"]
    if milliseconds is None:
        return Markup("{}").format(language.gettext(N_("never")))
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        at.isoformat(timespec="seconds"), language.moment(milliseconds, zone)
    )


def own_address(request: PageRequest) -> str:
    """The request's path and query, to come back to this page."""
    url = request.http.url
    return f"{url.path}?{url.query}" if url.query else url.path


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
