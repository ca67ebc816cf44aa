"""Converts between a site's settings and the fields of its form."""

import re
from collections.abc import Sequence
from typing import Any

from tallystick.model.site import Collect, Site
from tallystick.services.accounts.sites import SiteChanges
from tallystick.surfaces.dashboard.support.forms import Form
from tallystick.surfaces.dashboard.support.language import N_

COLLECTED = (
    (Collect.REFERRER, N_("Referrer and campaign")),
    (Collect.USER_AGENT, N_("Browser and system")),
    (Collect.SCREEN_SIZE, N_("Width of the screen")),
    (Collect.LOCATION, N_("Country")),
    (Collect.REGION, N_("Region")),
    (Collect.LANGUAGE, N_("Language")),
    (Collect.SESSION, N_("Sessions, which tell visits from pageviews")),
    (Collect.HITS, N_("Single hits to the second, needed for exports")),
)

PUBLIC = (
    ("private", N_("people of this account")),
    ("secret", N_("also everyone who has the secret link")),
    ("public", N_("everyone")),
)

TEXTS = ("cname", "code", "domain", "link_domain", "public", "secret", "data_retention")
LISTS = ("ignore_ips", "collect_regions", "allow_embed")
SWITCHES = ("allow_counter", "allow_bosmang", "respect_gpc", "respect_dnt", "collect_props")

_between = re.compile(r"[\s,;]+")
_days = re.compile(r"[0-9]{1,6}")


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
        "data_retention": str(settings.data_retention),
        "collect": settings.collect,
        **{name: "\n".join(getattr(settings, name)) for name in LISTS},
        **{name: getattr(settings, name) for name in SWITCHES},
    }


def typed(form: Form) -> dict[str, Any]:
    """The form's values as submitted, to show the form again."""
    return {
        "collect": _bits(form),
        **{name: form.text(name) for name in TEXTS + LISTS},
        **{name: form.checked(name) for name in SWITCHES},
    }


def changes_of(form: Form) -> SiteChanges:
    """The changes that a submitted form asks for."""
    days = form.text("data_retention")
    settings = {
        "public": form.text("public"),
        "secret": form.text("secret"),
        # A text that is not a number is refused like a number of days that is too small.
        "data_retention": int(days) if _days.fullmatch(days) else -1,
        "collect": _bits(form) or int(Collect.NOTHING),
        **{name: tuple(_entries(form.text(name))) for name in LISTS},
        **{name: form.checked(name) for name in SWITCHES},
    }
    return SiteChanges(
        cname=form.text("cname") or None,
        code=form.text("code"),
        domain=form.text("domain"),
        link_domain=form.text("link_domain"),
        settings=settings,
    )


def _bits(form: Form) -> int:
    return sum(set(form.numbers("collect")))


def _entries(text: str) -> Sequence[str]:
    return [entry for entry in _between.split(text) if entry]
