"""Detects bots by their User-Agent (GoatCounter contract, 2.2).

The first rule that matches decides. Address ranges of cloud hosts (codes 8 to 17) are not checked: no package has a
maintained list of them.

Words and patterns are not searched in the model and build of a device. Browsers are matched only against those
patterns of ``crawler-user-agents`` that cannot mean an app or device: a pattern that matches people loses their visits
unnoticed. ``tests/services/people.txt`` and ``programs.txt`` check every update of the list.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from tallystick.model.hit import Bot

SHORTEST_AGENT = 10
"""Bytes; every browser's User-Agent is longer."""

CHUNK = 25
"""Patterns compiled into one: Python matches several shorter alternations faster than a few long ones."""

Rule = Callable[[str], bool]

_PEOPLE = ("CUBOT_", "CUBOT ", "StudoBrowser/")
_LIBRARIES = (
    "Go-http-client/",
    "HttpClient/",
    "HTTPClient/",
    "PycURL/",
    "Python-urllib/",
    "Robosourcer/",
    "Wget/",
    "WinHttp.WinHttpRequest.5",
    "curl/",
    "python-requests/",
    "libwww-perl/",
)
_BOTY_WORDS = ("bot", "crawler", "spider")
_PRODUCTS = (
    "AlexaToolbar/",
    "BingPreview/",
    "Chrome-Lighthouse",
    "Dataprovider.com",
    "DumpRenderTree/",
    "Google favicon",
    "Google-Ad",
    "Google Web Preview",
    "Google-Site-Verification",
    "GoogleSecurityScanner",
    "HeadlessChrome/",
    "Netcraft",
    "Owler/",
    "PageAnalyzer/",
    "Ruxit",
    "ScopeContentAG",
    "SlimerJS",
    "Survey/",
    "Synapse",
    "Wappalyzer",
    "WhatWeb/",
    "WinInet",
    "WordPress.com",
    "okhttp/",
    "panscient.com",
    "wkhtmltoimage",
    "wkhtmltopdf",
    "zgrab/",
)
_WHOLE_WORDS = re.compile(r"(?<![A-Za-z])(?:Ruby(?![a-z])|Java/)")
"""Libraries whose names are parts of other words."""

_DEVICE = re.compile(
    r"""
    (?<=;)\ (?:Build/)?[^;()/]{1,80}(?=;\ rv:)                # a model of KaiOS or Firefox OS
    | \b(?<=Build/)[^;()\ ]{1,80}
    | (?<=\ Android)\ \([0-9]{1,2}/[^()]{1,200}\)             # Instagram's description of a device
    | (?<=\[FB)[^\]]{1,400}                                 # Facebook's
    | \b(?:cubot|fossibot|botech|botim)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MODEL = re.compile(
    r"\bAndroid(?: [0-9.]{1,8})?;(?: [a-z]{2}[-_][a-z]{2};)?(?: HarmonyOS;)?( [^;()/]{1,60}?)(?= Build/|[;)])",
    re.IGNORECASE,
)
"""A device's model, whose words are the maker's. A name with a slash is a program's."""

_BROWSER = re.compile(
    r"(?:Mozilla|Opera)/[0-9.]{1,5} \((?!compatible;(?! MSIE))(?!.*; ?compatible;)"
    r".*(?:AppleWebKit/|Gecko/|Trident/|MSIE [0-9]|Presto/)",
)
"""Matches browsers, and programs that drive one."""

_SAYS_PROGRAM = re.compile(
    r"bot|crawl|spider|scan|archiv|monitor|fetch|preview|checker|valid|phantom|puppet|playwright|selenium|headless"
    r"|synthetic|screenshot|lighthouse|uptime|audit|proxy|http|scrap|wget|curl|python|seo|speed|analy[sz]e",
    re.IGNORECASE,
)
PEOPLE_PATTERNS = frozenset(
    (
        r"AP3A\.240617\.008",  # a build of Android
        r"Code\/1\.",
        r"Fluid",
        r"MetaIAB Facebook",
        r"Trae\/",
    )
)
"""Patterns of the list that match people's browsers."""


def bot_code(agent: str) -> Bot:
    """The bot code of a User-Agent; ``NO_MATCH`` and ``KNOWN_NOT`` are people. Not cached."""
    text = without_device(agent)
    return next((code for code, matches, part in RULES if matches(agent if part is ALL else text)), Bot.NO_MATCH)


def load() -> None:
    """Load the patterns before the first hit needs them."""
    _patterns()


def _is_short_or_odd(agent: str) -> bool:
    return len(agent.encode("utf-8", "replace")) < SHORTEST_AGENT or " " not in agent or "/" not in agent


def _has(*words: str) -> Rule:
    return lambda agent: any(word in agent for word in words)


def _is_library(text: str) -> bool:
    return any(word in text for word in _LIBRARIES) or _WHOLE_WORDS.search(text) is not None


def without_device(agent: str) -> str:
    """A User-Agent without model and build of the device."""
    return _DEVICE.sub("", _MODEL.sub("Android;", agent))


def is_browser(agent: str) -> bool:
    """Whether a User-Agent looks like a browser's, driven by a person or a program."""
    return _BROWSER.match(agent) is not None


def _has_in_any_case(*words: str) -> Rule:
    has = _has(*words)
    return lambda text: has(text.lower())


def _is_crawler(text: str) -> bool:
    browsers, others = _patterns()
    patterns = browsers if is_browser(text) else (*browsers, *others)
    return any(pattern.search(text) for pattern in patterns)


@cache
def _patterns() -> tuple[list[re.Pattern[str]], list[re.Pattern[str]]]:
    """The list's patterns: those for browsers, and all others."""
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA  # noqa: PLC0415  # reads half a megabyte

    browsers = [crawler["pattern"] for crawler in CRAWLER_USER_AGENTS_DATA if _means_programs(crawler)]
    patterns = {crawler["pattern"] for crawler in CRAWLER_USER_AGENTS_DATA if not _is_redundant(crawler["pattern"])}
    return _compiled(browsers), _compiled(sorted(patterns.difference(browsers)))


def _means_programs(crawler: dict[str, Any]) -> bool:
    """Whether a browser that matches is driven by a program, by the pattern's words or the list's examples."""
    pattern = crawler["pattern"]
    if pattern in PEOPLE_PATTERNS or _is_redundant(pattern):
        return False
    return bool(_SAYS_PROGRAM.search(pattern)) or any(map(is_browser, crawler.get("instances", ())))


def _is_redundant(pattern: str) -> bool:
    """Whether everything that the pattern matches contains one of ``_BOTY_WORDS``, which are checked first."""
    return not re.search(r"[|?*\[]", pattern) and any(word in pattern.lower() for word in _BOTY_WORDS)


def _compiled(patterns: list[str]) -> list[re.Pattern[str]]:
    return [re.compile("|".join(patterns[start : start + CHUNK])) for start in range(0, len(patterns), CHUNK)]


ALL, PROGRAM = "the whole User-Agent", "the User-Agent without the device"

RULES: tuple[tuple[Bot, Rule, str], ...] = (
    (Bot.SHORT, _is_short_or_odd, ALL),
    (Bot.KNOWN_NOT, _has(*_PEOPLE), ALL),
    (Bot.LINK, _has("://"), ALL),
    (Bot.CLIENT_LIBRARY, _is_library, PROGRAM),
    (Bot.KNOWN, _has(*_PRODUCTS), PROGRAM),
    (Bot.BOTY_WORD, _has_in_any_case(*_BOTY_WORDS), PROGRAM),
    (Bot.KNOWN, _is_crawler, PROGRAM),
)
"""In order of precedence: the code, the condition, and the part of the User-Agent that it applies to."""
