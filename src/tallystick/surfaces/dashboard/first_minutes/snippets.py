"""The tag that counts pages, and where programs that make websites want it."""

from html import escape

from msgspec import Struct

from tallystick.model.site import Site
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest
from tallystick.web.address import bare_host, host_of
from tallystick.web.own_address import own_base, own_origin

TAG, URL = "{tag}", "{url}"
"""In ``Recipe.code``: the tag, and the address that pages send their hits to."""

_FUNCTION = "window.goatcounter?.count?.({ path: location.pathname })"


class Recipe(Struct, frozen=True, kw_only=True):
    """Where a program wants the tag.

    Attributes:
        name: of the program.
        file: what to edit, as the program names it; to be translated where it is a sentence.
        code: what to write there.
        say: what else there is to know, to be translated; empty for nothing.
    """

    name: str
    file: str
    code: str = TAG
    say: str = ""


BEFORE_BODY_ENDS = N_("In the layout of all pages, before </body>")
_BY_ITSELF = N_("Pages that change without being loaded are counted by the second part.")

RECIPES: tuple[Recipe, ...] = (
    Recipe(
        name="Hugo",
        file="layouts/baseof.html",
        code="{{ if hugo.IsProduction }}\n{tag}\n{{ end }}",
        say=N_(
            "Copy the file from your theme first, and write this before </body>. In older versions of Hugo it is"
            " layouts/_default/baseof.html."
        ),
    ),
    Recipe(
        name="Jekyll",
        file="_layouts/default.html",
        code='{% if jekyll.environment == "production" %}\n{tag}\n{% endif %}',
        say=N_("Copy the file from your theme first, and write this before </body>."),
    ),
    Recipe(
        name="Astro",
        file="src/layouts/Layout.astro",
        code='<script is:inline data-goatcounter="{url}/count"\n        async src="{url}/count.js"></script>',
        say=N_("Write this before </body>. is:inline keeps Astro from changing the tag."),
    ),
    Recipe(
        name="Next.js",
        file="app/layout.tsx",
        code=(
            'import Script from "next/script";\n'
            "// …and before </body>:\n"
            '<Script data-goatcounter="{url}/count"\n'
            '        src="{url}/count.js" strategy="afterInteractive" />\n\n'
            "// app/count.tsx, used once in the layout as <Count />\n"
            '"use client";\n'
            'import { usePathname } from "next/navigation";\n'
            'import { useEffect, useRef } from "react";\n'
            "export function Count() {\n"
            "  const path = usePathname(), last = useRef(path);\n"
            "  useEffect(() => {\n"
            f"    if (path !== last.current) {_FUNCTION};\n"
            "    last.current = path;\n"
            "  }, [path]);\n"
            "  return null;\n"
            "}"
        ),
        say=_BY_ITSELF,
    ),
    Recipe(name="Eleventy", file="_includes/layout.njk", say=BEFORE_BODY_ENDS),
    Recipe(
        name="WordPress",
        file="functions.php",
        code="add_action('wp_footer', function () { ?>\n{tag}\n<?php });",
        say=N_("In a child theme, so that an update of the theme does not remove it."),
    ),
    Recipe(
        name="Docusaurus",
        file="docusaurus.config.js",
        code=(
            'scripts: [{\n  src: "{url}/count.js",\n  async: true,\n  "data-goatcounter": "{url}/count",\n}],\n'
            'clientModules: ["./src/count.js"],\n\n'
            "// src/count.js\n"
            "export function onRouteDidUpdate({ location, previousLocation }) {\n"
            "  if (previousLocation && location.pathname !== previousLocation.pathname) {\n"
            f"    {_FUNCTION};\n"
            "  }\n"
            "}"
        ),
        say=_BY_ITSELF,
    ),
    Recipe(
        name="MkDocs",
        file="overrides/main.html",
        code='{% extends "base.html" %}\n{% block scripts %}\n{{ super() }}\n{tag}\n{% endblock %}',
        say=N_("Name the folder in mkdocs.yml: custom_dir: overrides, below theme."),
    ),
    Recipe(
        name="VitePress",
        file=".vitepress/config.mts",
        code=(
            'head: [["script", {\n  "data-goatcounter": "{url}/count",\n  async: "",\n  src: "{url}/count.js",\n}]],'
        ),
        say=N_("Only the first page of a visit is counted so, as the others are not loaded."),
    ),
    Recipe(name="Ghost", file=N_("Settings, Code injection, Site footer")),
)


def tag(url: str) -> str:
    """The tag for pages that send their hits to a server, whose own paths are appended to ``url``."""
    base = escape(url)
    return f'<script data-goatcounter="{base}/count"\n        async src="{base}/count.js"></script>'


def code_of(recipe: Recipe, url: str) -> str:
    """What to write, with the tag and the server's URL in it."""
    return recipe.code.replace(TAG, tag(url)).replace(URL, escape(url))


def counting_origin(request: PageRequest, site: Site) -> str:
    """The origin to which pages send hits: the site's own host, or the current one for a site without a host."""
    scope = request.http.scope
    own = own_origin(scope)
    has_other_host = site.cname and site.cname not in {host_of(scope), bare_host(own.partition("://")[2])}
    return f"https://{site.cname}" if has_other_host else own


def counting_url(request: PageRequest, site: Site) -> str:
    """The URL to which the paths are appended that count a site."""
    return counting_origin(request, site) + own_base(request.http.scope)
