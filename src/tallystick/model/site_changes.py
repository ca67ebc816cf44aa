"""Tells in plain words what was changed about a site, and what that means for its figures."""

from collections.abc import Mapping
from types import MappingProxyType

from tallystick.model.leaving_out import RuleKind
from tallystick.model.site import Collect, Site, SiteSettings

RULES: Mapping[RuleKind, str] = MappingProxyType(
    {
        RuleKind.PATH: "path {rule}",
        RuleKind.HOST: "host {rule}",
        RuleKind.CAMPAIGN: "campaign {rule}",
        RuleKind.COUNTRY: "country {rule}",
        RuleKind.NETWORK: "a network",
    }
)

COLLECTED: Mapping[Collect, str] = MappingProxyType(
    {
        Collect.REFERRER: "referrers",
        Collect.USER_AGENT: "browsers and systems",
        Collect.SCREEN_SIZE: "screen sizes",
        Collect.LOCATION: "countries",
        Collect.REGION: "regions",
        Collect.LANGUAGE: "languages",
        Collect.SESSION: "sessions",
        Collect.HITS: "single hits with their seconds",
    }
)


def collection_change(before: SiteSettings, after: SiteSettings) -> str:
    """What is collected from now on and was not, and the other way round; empty for no change."""
    kept, now = _collected(before), _collected(after)
    parts = [
        f"{words}: {', '.join(names)}"
        for words, names in (
            ("Collected from here on", [name for name in now if name not in kept]),
            ("No longer collected", [name for name in kept if name not in now]),
        )
        if names
    ]
    if Collect.REGION & after.collect & before.collect and before.collect_regions != after.collect_regions:
        parts.append(f"Regions are collected of {', '.join(after.collect_regions) or 'all countries'}")
    return "; ".join(parts) + "." if parts else ""


def rules_change(before: SiteSettings, after: SiteSettings) -> str:
    """What is left out from now on and was not, and the other way round; empty for no change.

    Networks are not named: they can be those of people, and more people read annotations than settings.
    """
    kept, now = _rules(before), _rules(after)
    parts = [
        f"{words}: {', '.join(dict.fromkeys(text for each, text in found.items() if each not in others))}"
        for words, found, others in (("Left out from here on", now, kept), ("No longer left out", kept, now))
        if found.keys() - others.keys()
    ]
    return "; ".join(parts) + "." if parts else ""


def changes_logged(before: Site, after: Site) -> str:
    """What was changed about a site, for the log of administrative events; empty for no change.

    Hosts, names, numbers and switches with their values; of others the name alone: they may be secrets or addresses.
    """
    pairs = [(name, getattr(before, name), getattr(after, name)) for name in _LOGGED_FIELDS]
    pairs += [
        (name, getattr(before.settings, name), getattr(after.settings, name)) for name in SiteSettings.__struct_fields__
    ]
    return ", ".join(
        f"{name} {_shown(old)} -> {_shown(new)}" if name in _LOGGED_WITH_VALUES else name
        for name, old, new in pairs
        if old != new
    )


_LOGGED_FIELDS = ("cname", "code", "domain", "link_domain", "user_defaults")
LONGEST_LOGGED = 1_000
"""Characters of a list of values."""
_LOGGED_WITH_VALUES = frozenset(
    {
        *("cname", "code", "domain", "link_domain", "public", "data_retention"),
        *("allow_counter", "allow_bosmang", "respect_gpc", "respect_dnt", "collect_props", "path_rules"),
    }
)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ", ".join(value)[:LONGEST_LOGGED] or "none"
    return "none" if value in {None, ""} else str(value)


def path_rules_change(before: SiteSettings, after: SiteSettings) -> str:
    """Which pages are counted under one path from now on and were not, and the other way round; empty for no change."""
    parts = [
        f"{words}: {', '.join(rule for rule in found if rule not in others)}"
        for words, found, others in (
            ("Counted as one path from here on", after.path_rules, before.path_rules),
            ("No longer counted as one path", before.path_rules, after.path_rules),
        )
        if set(found) - set(others)
    ]
    return "; ".join(parts) + "." if parts else ""


def _rules(settings: SiteSettings) -> dict[tuple[RuleKind, str], str]:
    """The rules of a site, and what they leave out in words."""
    rules = ((kind, rule) for kind in RULES for rule in getattr(settings, kind.value))
    return {(kind, rule): RULES[kind].format(rule=rule) for kind, rule in rules}


def _collected(settings: SiteSettings) -> list[str]:
    names = [name for bit, name in COLLECTED.items() if settings.collect & bit]
    return [*names, "properties of events"] if settings.collect_props else names
