"""Bodies with a site: in today's shape, and in that of older clients (1.6, 1.15)."""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Struct, UnsetType, ValidationError, convert
from msgspec.structs import asdict

from tallystick.model.account import CONTRACT_SETTINGS, UserSettings
from tallystick.web.refusals import ApiRefused

DIGITS_AT_MOST = 7
"""Of a code point."""

Texts = str | list[str] | None
Ignored = Any
"""Read-only or obsolete: accepted, so that a client may send back a site as it received it."""


class SettingsBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A site's settings; null counts as missing."""

    public: str | bool | None = None
    secret: str | None = None
    allow_counter: bool | None = None
    allow_bosmang: bool | None = None
    data_retention: int | None = None
    ignore_ips: Texts = None
    collect: int | None = None
    collect_regions: Texts = None
    allow_embed: Texts = None
    respect_gpc: bool | None = None
    respect_dnt: bool | None = None
    collect_props: bool | None = None
    campaigns: Ignored = None

    def values(self) -> dict[str, Any]:
        """The fields of ``SiteSettings`` in the body."""
        values = {name: value for name, value in asdict(self).items() if value is not None and name != "campaigns"}
        for name in ("ignore_ips", "collect_regions", "allow_embed"):
            if name in values:
                values[name] = _texts(values[name])
        if isinstance(values.get("public"), bool):
            values["public"] = "public" if values["public"] else "private"
        return values


class SiteBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A site as clients send it. Both spellings of settings are accepted; the correct one wins."""

    cname: str | UnsetType | None = UNSET
    code: str | None = None
    link_domain: str | None = None
    settings: SettingsBody | None = None
    setttings: SettingsBody | None = None
    user_defaults: dict[str, Any] | None = None

    id: Ignored = None
    parent: Ignored = None
    cname_setup_at: Ignored = None
    received_data: Ignored = None
    state: Ignored = None
    created_at: Ignored = None
    updated_at: Ignored = None
    first_hit_at: Ignored = None
    plan: Ignored = None
    plan_pending: Ignored = None
    stripe: Ignored = None
    plan_cancel_at: Ignored = None
    billing_amount: Ignored = None
    extra_pageviews: Ignored = None
    billing_anchor: Ignored = None

    @property
    def sent_settings(self) -> dict[str, Any]:
        """The fields of ``SiteSettings`` in the body."""
        both_spellings = [body.values() for body in (self.setttings, self.settings) if body]
        return {name: value for values in both_spellings for name, value in values.items()}

    @property
    def sent_defaults(self) -> UserSettings | UnsetType:
        """Display settings for new users of the site.

        Raises:
            ApiRefused: it has another shape.
        """
        return UNSET if self.user_defaults is None else user_settings(self.user_defaults)


def user_settings(sent: Mapping[str, Any]) -> UserSettings:
    """A person's settings, also in the shapes of 2021.

    Raises:
        ApiRefused: they have another shape.
    """
    if unknown := sent.keys() - set(CONTRACT_SETTINGS):
        msg = f'unknown parameter: "{min(unknown)}"'
        raise ApiRefused(msg)
    values = {name: value for name, value in sent.items() if value is not None}
    values |= {name: mend(values[name]) for name, mend in _MENDED.items() if name in values}
    try:
        return convert(values, UserSettings)
    except ValidationError as error:
        msg = f"invalid JSON: user_defaults: {error}"
        raise ApiRefused(msg) from error


def _number_format(sent: object) -> object:
    """A code point; older clients send the character, or the number as text. No digit separates thousands."""
    if not isinstance(sent, str):
        return sent
    if sent.isascii() and sent.isdecimal() and len(sent) <= DIGITS_AT_MOST:
        return int(sent)
    return ord(sent) if len(sent) == 1 else sent


def _timezone(sent: object) -> object:
    """``CC.Zone``; older clients send an object."""
    if not isinstance(sent, dict):
        return sent
    return f"{sent.get('CountryCode', '')}.{sent.get('Zone', '')}"


def _views(sent: object) -> object:
    """Older clients say ``daily`` where today's say ``group``, and end a period with ``-cur``."""
    return [_view(view) for view in sent] if isinstance(sent, list) else sent


def _view(sent: object) -> object:
    if not isinstance(sent, dict):
        return sent
    view = {name: value for name, value in sent.items() if name != "daily"}
    if sent.get("daily"):
        view.setdefault("group", 1)
    if isinstance(view.get("period"), str):
        view["period"] = view["period"].removesuffix("-cur")
    return view


_MENDED = {"number_format": _number_format, "timezone": _timezone, "views": _views}


def _texts(sent: str | list[str]) -> tuple[str, ...]:
    items = sent.replace(" ", ",").split(",") if isinstance(sent, str) else sent
    return tuple(item.strip() for item in items if item.strip())
