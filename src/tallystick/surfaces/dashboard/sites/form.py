"""Converts between a site's settings and the fields of its form."""

import re
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from tallystick.model.site import Site
from tallystick.services.accounts.sites import SiteChanges
from tallystick.surfaces.dashboard.support.forms import Form
from tallystick.surfaces.dashboard.support.language import N_

PUBLIC = (
    ("private", N_("people of this account")),
    ("secret", N_("also everyone who has the secret link")),
    ("public", N_("everyone")),
)

TEXTS = ("cname", "code", "domain", "link_domain", "timezone", "public", "secret")
LISTS = ("allow_embed",)
SWITCHES = ("allow_counter", "allow_bosmang")

_between = re.compile(r"[\s,;]+")


def filled_in(site: Site) -> dict[str, Any]:
    """The form's values for a site's stored settings."""
    settings = site.settings
    return {
        "cname": site.cname or "",
        "code": site.code,
        "domain": site.domain,
        "link_domain": site.link_domain,
        "public": settings.public,
        "secret": settings.secret,
        "timezone": site.user_defaults.timezone,
        **{name: "\n".join(getattr(settings, name)) for name in LISTS},
        **{name: getattr(settings, name) for name in SWITCHES},
    }


def typed(form: Form) -> dict[str, Any]:
    """The form's values as submitted, to show the form again."""
    return {
        **{name: form.text(name) for name in TEXTS + LISTS},
        **{name: form.checked(name) for name in SWITCHES},
    }


def changes_of(site: Site, form: Form) -> SiteChanges:
    """The changes of a site that a submitted form asks for."""
    settings = {
        "public": form.text("public"),
        "secret": form.text("secret"),
        **{name: tuple(entries(form.text(name))) for name in LISTS},
        **{name: form.checked(name) for name in SWITCHES},
    }
    return SiteChanges(
        cname=form.text("cname") or None,
        code=form.text("code"),
        domain=form.text("domain"),
        link_domain=form.text("link_domain"),
        settings=settings,
        user_defaults=replace(site.user_defaults, timezone=form.text("timezone")),
    )


def entries(text: str) -> Sequence[str]:
    """The entries of a list that is typed with spaces, commas or lines between them."""
    return [entry for entry in _between.split(text) if entry]
