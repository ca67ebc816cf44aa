"""Whether a program sent a hit, by its User-Agent (GoatCounter contract, 2.2).

The rules are judged in order; the first that has something to say decides. Address ranges of cloud hosts (codes 8
to 17) are not judged: no package carries a maintained list of them.

Words and patterns are not looked for in the model and the build of a device. Of the patterns of
``crawler-user-agents``, browsers are held only against those that can mean no app or device: a pattern that matches
people costs their visits, and nothing shows it. ``tests/services/people.txt`` and ``programs.txt`` hold this against
every update of the list.
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from tallystick.model.hit import Bot

SHORTEST_AGENT = 10
"""Bytes; no browser says less."""

CHUNK = 25
"""Patterns compiled together: Python matches few long alternations slower than some shorter ones."""

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
    | (?<=\ Android)\ \([0-9]{1,2}/[^()]{1,200}\)             # what Instagram says of a device
    | (?<=\[FB)[^\]]{1,400}                                 # and Facebook
    | \b(?:cubot|fossibot|botech|botim)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MODEL = re.compile(
    r"\bAndroid(?: [0-9.]{1,8})?;(?: [a-z]{2}[-_][a-z]{2};)?(?: HarmonyOS;)?( [^;()/]{1,60}?)(?= Build/|[;)])",
    re.IGNORECASE,
)
"""Where the makers of devices write words of their own. A name with a slash is a program's."""

_BROWSER = re.compile(
    r"(?:Mozilla|Opera)/[0-9.]{1,5} \((?!compatible;(?! MSIE))(?!.*; ?compatible;)"
    r".*(?:AppleWebKit/|Gecko/|Trident/|MSIE [0-9]|Presto/)",
)
"""What browsers look like, and programs that run one."""

_SAYS_PROGRAM = re.compile(
    r"bot|crawl|spider|scan|archiv|monitor|fetch|preview|checker|valid|phantom|puppet|playwright|selenium|headless"
    r"|synthetic|screenshot|lighthouse|uptime|audit|proxy|http|scrap|wget|curl|python|seo|speed|analy[sz]e",
    re.IGNORECASE,
)
OF_PEOPLE = frozenset(
    (
        r"AP3A\.240617\.008",  # a build of Android
        r"Code\/1\.",
        r"Fluid",
        r"MetaIAB Facebook",
        r"Trae\/",
    )
)
"""Patterns of the list whose examples are people's browsers."""


def judge(agent: str) -> Bot:
    """What a User-Agent says of its sender; ``NO_MATCH`` and ``KNOWN_NOT`` are people. Not cached."""
    text = without_device(agent)
    return next((code for code, holds, read in RULES if holds(agent if read is ALL else text)), Bot.NO_MATCH)


def load() -> None:
    """Load the patterns now, so that no hit waits for them."""
    _patterns()


def _is_short_or_odd(agent: str) -> bool:
    return len(agent.encode("utf-8", "replace")) < SHORTEST_AGENT or " " not in agent or "/" not in agent


def _has(*words: str) -> Rule:
    return lambda agent: any(word in agent for word in words)


def _is_library(text: str) -> bool:
    return any(word in text for word in _LIBRARIES) or _WHOLE_WORDS.search(text) is not None


def without_device(agent: str) -> str:
    """A User-Agent without the words that the makers of devices choose."""
    return _DEVICE.sub("", _MODEL.sub("Android;", agent))


def is_browser(agent: str) -> bool:
    """Whether it looks like a browser, whoever drives it."""
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
    """The list's patterns: those that browsers are held against, and all others."""
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA  # noqa: PLC0415  # reads half a megabyte

    browsers = [crawler["pattern"] for crawler in CRAWLER_USER_AGENTS_DATA if _means_programs(crawler)]
    every = {crawler["pattern"] for crawler in CRAWLER_USER_AGENTS_DATA if not _is_judged_before(crawler["pattern"])}
    return _compiled(browsers), _compiled(sorted(every.difference(browsers)))


def _means_programs(crawler: dict[str, Any]) -> bool:
    """Whether a browser that matches is driven by a program: the pattern says so, or the list has such an example."""
    pattern = crawler["pattern"]
    if pattern in OF_PEOPLE or _is_judged_before(pattern):
        return False
    return bool(_SAYS_PROGRAM.search(pattern)) or any(map(is_browser, crawler.get("instances", ())))


def _is_judged_before(pattern: str) -> bool:
    """Whether all that it matches has one of the words that are looked for before the list."""
    return not re.search(r"[|?*\[]", pattern) and any(word in pattern.lower() for word in _BOTY_WORDS)


def _compiled(patterns: list[str]) -> list[re.Pattern[str]]:
    return [re.compile("|".join(patterns[start : start + CHUNK])) for start in range(0, len(patterns), CHUNK)]


ALL, PROGRAM = "all of the User-Agent", "what is no device's"

RULES: tuple[tuple[Bot, Rule, str], ...] = (
    (Bot.SHORT, _is_short_or_odd, ALL),
    (Bot.KNOWN_NOT, _has(*_PEOPLE), ALL),
    (Bot.LINK, _has("://"), ALL),
    (Bot.CLIENT_LIBRARY, _is_library, PROGRAM),
    (Bot.KNOWN, _has(*_PRODUCTS), PROGRAM),
    (Bot.BOTY_WORD, _has_in_any_case(*_BOTY_WORDS), PROGRAM),
    (Bot.KNOWN, _is_crawler, PROGRAM),
)
"""In order: the code, whether it holds, and what is looked at."""
