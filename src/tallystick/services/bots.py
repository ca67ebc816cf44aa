"""Whether a program sent a hit, by its User-Agent (GoatCounter contract, 2.2).

The rules are judged in order; the first that has something to say decides. Address ranges of cloud hosts (codes 8
to 17) are not judged: no package carries a maintained list of them.
"""

import re
from collections.abc import Callable
from functools import cache

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
    "Java/",
    "PycURL/",
    "Python-urllib/",
    "Robosourcer/",
    "Ruby",
    "Wget/",
    "WinHttp.WinHttpRequest.5",
    "curl/",
    "python-requests/",
    "libwww-perl/",
)
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


def judge(agent: str) -> Bot:
    """What a User-Agent says of its sender; ``NO_MATCH`` and ``KNOWN_NOT`` are people. Not cached."""
    return next((code for code, holds in RULES if holds(agent)), Bot.NO_MATCH)


def load() -> None:
    """Load the patterns now, so that no hit waits for them."""
    _crawlers()


def _is_short_or_odd(agent: str) -> bool:
    return len(agent.encode("utf-8", "replace")) < SHORTEST_AGENT or " " not in agent or "/" not in agent


def _has(*words: str) -> Rule:
    return lambda agent: any(word in agent for word in words)


def _has_in_any_case(*words: str) -> Rule:
    has = _has(*words)
    return lambda agent: has(agent.lower())


def _is_crawler(agent: str) -> bool:
    return any(pattern.search(agent) for pattern in _crawlers())


@cache
def _crawlers() -> list[re.Pattern[str]]:
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA  # noqa: PLC0415  # reads half a megabyte

    patterns = [crawler["pattern"] for crawler in CRAWLER_USER_AGENTS_DATA]
    return [re.compile("|".join(patterns[start : start + CHUNK])) for start in range(0, len(patterns), CHUNK)]


RULES: tuple[tuple[Bot, Rule], ...] = (
    (Bot.SHORT, _is_short_or_odd),
    (Bot.KNOWN_NOT, _has(*_PEOPLE)),
    (Bot.LINK, _has("://")),
    (Bot.CLIENT_LIBRARY, _has(*_LIBRARIES)),
    (Bot.KNOWN, _has(*_PRODUCTS)),
    (Bot.BOTY_WORD, _has_in_any_case("bot", "crawler", "spider")),
    (Bot.KNOWN, _is_crawler),
)
