"""Rules by which a site leaves hits out: networks, countries, paths, hosts and campaigns.

Upper and lower case are the same, as for paths everywhere. A ``*`` at the beginning or the end of a path stands for any
text, at the beginning of a host (``*.example.com``) for any subdomain; in a campaign for itself.
"""

import re
from collections.abc import Iterable
from enum import Enum

from tallystick.model.campaign import MAX_NAME
from tallystick.model.path import MAX_PATH, clean_path, spellings
from tallystick.model.text import storable

RULES_AT_MOST = 100
"""Countries, paths, hosts and campaigns; of each."""
LONGEST_HOST = 253
ANYTHING = "*"


class RuleKind(Enum):
    """What a rule compares. The value is the name of the site's setting."""

    NETWORK = "ignore_ips"
    COUNTRY = "ignore_countries"
    PATH = "ignore_paths"
    HOST = "ignore_hosts"
    CAMPAIGN = "ignore_campaigns"


_COUNTRY = re.compile(r"[A-Z]{2}")
_HOST = re.compile(r"(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")


def normal_path_rule(text: str) -> str:
    """A rule for paths as it is stored. One without ``*`` is cleaned like the path of a page."""
    text = storable(text.strip())
    return text if ANYTHING in text or "://" in text else clean_path(text)


def normal_campaign(text: str) -> str:
    """A campaign as it is stored: cleaned like those of hits."""
    return storable(text).strip()


def country_problem(text: str) -> str:
    """What is wrong with a country, in words; empty for nothing."""
    return "" if _COUNTRY.fullmatch(text) else "must be country codes of two letters, such as NL"


def path_problem(text: str) -> str:
    """What is wrong with a rule for paths, in words; empty for nothing. Expects a normal one."""
    if "://" in text:
        return "must be paths without https:// and host, such as /admin"
    if len(text) > MAX_PATH:
        return f"must be shorter than {MAX_PATH} characters"
    if not text.strip(ANYTHING + "/") and text != "/":
        return "must not be all paths: write a path such as /admin, or the beginning of some, such as /admin/*"
    if ANYTHING in text.removeprefix(ANYTHING).removesuffix(ANYTHING):
        return "can have * at the beginning and at the end only"
    return "" if text.startswith(("/", ANYTHING)) else "must begin with / or *"


def host_problem(text: str) -> str:
    """What is wrong with a rule for hosts, in words; empty for nothing. Expects a normal one."""
    if len(text) <= LONGEST_HOST and _HOST.fullmatch(text):
        return ""
    return "must be host names, such as test.example.com, or *.example.com for all below example.com"


def campaign_problem(text: str) -> str:
    """What is wrong with a campaign, in words; empty for nothing. Expects a normal one."""
    if len(text) > MAX_NAME:
        return f"must be shorter than {MAX_NAME + 1} characters"
    return "" if text else "must be names of campaigns, such as spring-letter"


def path_expression(rules: Iterable[str]) -> str:
    """An expression that fits whole paths, in whatever spelling; of the kind that both ``re`` and RE2 understand."""
    return _whole(part for rule in rules for part in _path_parts(rule))


def host_expression(rules: Iterable[str]) -> str:
    """An expression that fits whole hosts; of the kind that both ``re`` and RE2 understand."""
    return _whole(_with_wildcards(rule) for rule in rules)


def campaign_expression(rules: Iterable[str]) -> str:
    """An expression that fits whole names of campaigns; of the kind that both ``re`` and RE2 understand."""
    return _whole(map(re.escape, rules))


def _path_parts(rule: str) -> Iterable[str]:
    begins, ends = rule.startswith(ANYTHING), rule.endswith(ANYTHING)
    core = rule.removeprefix(ANYTHING).removesuffix(ANYTHING)
    return (f"{'.*' if begins else ''}{re.escape(spelling)}{'.*' if ends else ''}" for spelling in spellings(core))


def _with_wildcards(rule: str) -> str:
    return f".+{re.escape(rule[1:])}" if rule.startswith(ANYTHING) else re.escape(rule)


def _whole(parts: Iterable[str]) -> str:
    return f"(?si)^(?:{'|'.join(parts)})$"
