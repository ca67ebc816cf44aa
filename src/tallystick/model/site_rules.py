"""Checks a site's fields and settings; messages are the contract's (GoatCounter contract, 1.6)."""

import re
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_network
from typing import get_args
from urllib.parse import urlsplit

from msgspec.structs import replace

from tallystick.model.account import UserSettings
from tallystick.model.leaving_out import (
    RULES_AT_MOST,
    campaign_problem,
    country_problem,
    host_problem,
    normal_campaign,
    normal_path_rule,
    path_problem,
)
from tallystick.model.path_rules import PATH_RULES_AT_MOST, normal_path_rules, path_rule_problem
from tallystick.model.site import COLLECT, Collect, Public, SiteSettings

CODE_LENGTH = (2, 50)
HOST_LENGTH = (4, 255)
LABEL_AT_MOST = 63
LINK_AT_MOST = 255
SECRET = re.compile(r"[A-Za-z0-9]{8,40}")
RETENTION_DAYS = (31, 1825)
LIST_AT_MOST = 1_000
ALL_BITS = 2 * Collect.HITS - 1
DEFAULTS_WITHIN = {"number_format": (1, 0x10FFFF), "email_reports": (0, 4)}

RESERVED = frozenset(
    {
        "www",
        "mail",
        "smtp",
        "imap",
        "static",
        "admin",
        "ns1",
        "ns2",
        "m",
        "mobile",
        "api",
        "dev",
        "test",
        "beta",
        "new",
        "staging",
        "debug",
        "pprof",
        "chat",
        "example",
        "yoursite",
        "sql",
        "license",
        "stat",
        "stats",
    }
)
"""Codes that have another meaning as subdomains."""

_ORIGIN = re.compile(r"(?:https?://)?(?:\*\.)?[A-Za-z0-9.-]+(?::[0-9]{1,5})?", re.ASCII)
_LINK = re.compile(r"[!#-;=?-\[\]_a-z~]+")  # the characters of a URL (RFC 3986)
_REGION = re.compile(r"[A-Z]{2}")


def normal_host(host: str) -> str:
    """A host as it is stored and compared: lower case, ASCII, without the final dot."""
    host = host.strip().lower().removesuffix(".")
    if host.isascii() or len(host) > HOST_LENGTH[1]:
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host


def normal_domain(name: str) -> str:
    """A website's name as it is stored and compared: a host without ``www.``, which means the same website."""
    host = normal_host(name)
    rest = host.removeprefix("www.")
    return rest if "." in rest else host


def normal_settings(settings: SiteSettings) -> SiteSettings:
    """Settings as they are stored: no ``collect`` bit stands for the default, and regions include countries."""
    collect = settings.collect or COLLECT
    if collect > 0 and collect & Collect.REGION:
        collect |= Collect.LOCATION
    return replace(
        settings,
        collect=int(collect),
        collect_regions=tuple(region.strip().upper() for region in settings.collect_regions),
        ignore_ips=tuple(address.strip() for address in settings.ignore_ips),
        ignore_countries=_once(country.strip().upper() for country in settings.ignore_countries),
        ignore_paths=_once(map(normal_path_rule, settings.ignore_paths)),
        ignore_hosts=_once(map(normal_domain, settings.ignore_hosts)),
        ignore_campaigns=_once(map(normal_campaign, settings.ignore_campaigns)),
        path_rules=normal_path_rules(settings.path_rules),
    )


def site_problems(
    code: str, cname: str | None, link_domain: str, settings: SiteSettings, domain: str = ""
) -> dict[str, list[str]]:
    """Messages about invalid values, by field. Expects normalised values."""
    problems = {
        "code": code_problems(code),
        "cname": [] if cname is None else host_problems(cname),
        "link_domain": link_problems(link_domain),
        "domain": host_problems(domain) if domain else [],
        **{f"settings.{field}": messages for field, messages in settings_problems(settings).items()},
    }
    return {field: messages for field, messages in problems.items() if messages}


def code_problems(code: str) -> list[str]:
    """Messages about an invalid code. A code is one label of a host name that is not reserved."""
    problems = _length_problems(code, CODE_LENGTH)
    problems += [f"cannot contain '{sign}'" for sign in "._" if sign in code]
    problems += _label_problems(code.replace(".", "").replace("_", ""))
    if code in RESERVED:
        problems.append(f"cannot be ‘{code}’")  # noqa: RUF001  # the contract's text
    return problems


def host_problems(host: str) -> list[str]:
    """Messages about an invalid host. A host has two labels or more."""
    problems = _length_problems(host, HOST_LENGTH)
    labels = host.split(".")
    if len(labels) < 2:  # noqa: PLR2004
        problems.append("must be a fully qualified domain name, such as stats.example.com")
    elif not all(labels) or any(len(label) > LABEL_AT_MOST for label in labels):
        problems.append(f"must be a valid hostname: each label has 1 to {LABEL_AT_MOST} characters")
    for label in labels:
        problems += [problem for problem in _label_problems(label) if problem not in problems]
    return problems


def link_problems(link: str) -> list[str]:
    """Messages about an invalid start of links to pages; it may be empty."""
    if len(link) > LINK_AT_MOST:
        return [f"must be shorter than {LINK_AT_MOST} characters"]
    return [] if not link or _is_link(link) else ["must be a valid url"]


def settings_problems(settings: SiteSettings) -> dict[str, list[str]]:
    """Messages about invalid settings, by field."""
    least, most = RETENTION_DAYS
    days, known = settings.data_retention, get_args(Public)
    secretless = not settings.secret and settings.public != "secret"
    return {
        # The contract's quotation marks.
        "public": _unless(settings.public in known, f"must be one of ‘{', '.join(known)}’"),  # noqa: RUF001
        "secret": _unless(secretless or SECRET.fullmatch(settings.secret), "must be 8 to 40 letters and digits"),
        "data_retention": _unless(days == 0 or least <= days <= most, f"must be 0, or {least} to {most}"),
        "ignore_ips": _each(settings.ignore_ips, _address_problem),
        "ignore_countries": _each(settings.ignore_countries, country_problem, RULES_AT_MOST),
        "ignore_paths": _each(settings.ignore_paths, path_problem, RULES_AT_MOST),
        "ignore_hosts": _each(settings.ignore_hosts, host_problem, RULES_AT_MOST),
        "ignore_campaigns": _each(settings.ignore_campaigns, campaign_problem, RULES_AT_MOST),
        "path_rules": _each(settings.path_rules, path_rule_problem, PATH_RULES_AT_MOST),
        "collect": _unless(0 < settings.collect <= ALL_BITS, f"must be a sum of the bits 1 to {Collect.HITS}"),
        "collect_regions": _each(settings.collect_regions, _region_problem),
        "allow_embed": _each(settings.allow_embed, _origin_problem),
    }


def defaults_problems(defaults: UserSettings) -> dict[str, list[str]]:
    """Messages about invalid default settings of new people, by field."""
    return {
        field: [f"must be {least} to {most}"]
        for field, (least, most) in DEFAULTS_WITHIN.items()
        if not least <= getattr(defaults, field) <= most
    }


def _unless(holds: object, problem: str) -> list[str]:
    return [] if holds else [problem]


def _once(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))


def _each(items: Sequence[str], problem_of: Callable[[str], str], most: int = LIST_AT_MOST) -> list[str]:
    if len(items) > most:
        return [f"cannot have more than {most} entries"]
    return list(dict.fromkeys(problem for item in items if (problem := problem_of(item))))


def _address_problem(text: str) -> str:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return "must be a valid IPv4 or IPv6 address"
    return ""


def _region_problem(text: str) -> str:
    return "" if _REGION.fullmatch(text) else "must be country codes of two letters"


def _origin_problem(text: str) -> str:
    if text == "*":
        return "'*' is not allowed"
    return "" if _ORIGIN.fullmatch(text) else "must be domains, such as https://example.com"


def _length_problems(text: str, allowed: tuple[int, int]) -> list[str]:
    least, most = allowed
    problems = ["must be set"] if not text else []
    if len(text) < least:
        problems.append(f"must be longer than {least} characters")
    return [*problems, f"must be shorter than {most} characters"] if len(text) > most else problems


def _label_problems(label: str) -> list[str]:
    wrong = sorted({sign for sign in label if not (sign.isascii() and (sign.isalnum() or sign == "-"))})
    problems = [f"must be a valid hostname: invalid character: {sign!r}" for sign in wrong[:1]]
    if label.startswith("-") or label.endswith("-"):
        problems.append("must be a valid hostname: cannot start or end with '-'")
    return problems


def _is_link(link: str) -> bool:
    if not _LINK.fullmatch(link):
        return False
    try:
        parts = urlsplit(link if "://" in link else f"https://{link}")
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and "." in (parts.hostname or "") and parts.username is None
