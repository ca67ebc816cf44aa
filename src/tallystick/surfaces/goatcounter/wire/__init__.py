"""GoatCounter's shapes: foreign names stop here."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from tallystick.model.account import CONTRACT_SETTINGS, Account, Token, UserSettings
from tallystick.model.site import Site, SiteSettings

_encoder = msgspec.json.Encoder()


def json(value: Any) -> bytes:  # noqa: ANN401  # whatever msgspec encodes
    """A body as the contract writes it: indented by two spaces, with a newline at the end."""
    return msgspec.json.format(_encoder.encode(value), indent=2) + b"\n"


def compact(value: Any) -> bytes:  # noqa: ANN401
    """A body on one line."""
    return _encoder.encode(value)


def time(milliseconds: int | None) -> str | None:
    """RFC 3339 in UTC, whole seconds."""
    if milliseconds is None:
        return None
    # Not strftime: it writes years before 1000 with fewer than four digits.
    return datetime.fromtimestamp(milliseconds // 1000, UTC).replace(tzinfo=None).isoformat() + "Z"


def user(account: Account) -> dict[str, Any]:
    """A person, in the form of ``/me``."""
    return {
        "id": account.id,
        "site": account.site,
        "email": account.email,
        "email_verified": account.email_verified,
        "totp_enabled": account.totp_enabled,
        "access": account.access,
        "login_at": time(account.login),
        "open_at": time(account.opened),
        "reset_at": None,
        "settings": _user_settings(account.settings),
        "last_report_at": time(account.created),
        "created_at": time(account.created),
        "updated_at": time(account.updated),
    }


def _user_settings(settings: UserSettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in CONTRACT_SETTINGS}


def token(token: Token) -> dict[str, Any]:
    """A token, in the form of ``/me``."""
    return {"name": token.name, "permissions": token.permissions, "sites": token.sites}


def site(site: Site) -> dict[str, Any]:
    """A site; ``setttings`` is how the contract spells it."""
    return {
        "id": site.id,
        "parent": site.parent,
        "cname": site.cname,
        "cname_setup_at": time(site.cname_setup),
        "code": site.code,
        "link_domain": site.link_domain,
        "setttings": site_settings(site.settings),
        "user_defaults": _user_settings(site.user_defaults),
        "received_data": site.received_data,
        "state": site.state,
        "created_at": time(site.created),
        "updated_at": time(site.updated),
        "first_hit_at": time(site.first_hit),
    }


def site_settings(settings: SiteSettings) -> dict[str, Any]:
    """A site's settings; lists are texts, as clients expect."""
    return {
        "public": settings.public,
        "secret": settings.secret,
        "allow_counter": settings.allow_counter,
        "allow_bosmang": settings.allow_bosmang,
        "data_retention": settings.data_retention,
        "ignore_ips": _listed(settings.ignore_ips),
        "collect": settings.collect,
        "collect_regions": _listed(settings.collect_regions),
        "allow_embed": _listed(settings.allow_embed),
        "respect_gpc": settings.respect_gpc,
        "respect_dnt": settings.respect_dnt,
        "collect_props": settings.collect_props,
    }


def _listed(items: Sequence[str]) -> str:
    return ",".join(items)
