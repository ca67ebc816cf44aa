"""Browser and system of a User-Agent, named as the contract names them (2.3), and whether a program sent it."""

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from tallystick.services import bots

if TYPE_CHECKING:
    from ua_parser import Parser
    from ua_parser.core import OS, UserAgent

AGENTS_CACHED = 20_000
"""User-Agents remembered; at most about 20 MB."""


Named = tuple[str, str]


class Agent(NamedTuple):
    """What is kept of a User-Agent: a ``Bot`` code, and two names with their versions, empty where not known."""

    bot: int
    browser: Named
    system: Named


_CHROME = re.compile(r"(?:Chrome|Chromium|CriOS)/([0-9]{1,4})")
_EDGE = re.compile(r"Edge/([0-9]{1,4})")
_PLAYSTATION = re.compile(r"PlayStation (Vita|Portable|[0-9])")

_BROWSERS = {
    "Chrome Mobile": "Chrome",
    "Firefox Mobile": "Firefox",
    "Firefox iOS": "Firefox",
    "IE": "Internet Explorer",
    "IE Mobile": "Internet Explorer",
    "Mobile Safari": "Safari",
    "Mobile Safari UI/WKWebView": "Safari",
    "Opera Mobile": "Opera",
    "Android": "Android Browser",
}
_WITH_MINOR = frozenset(("Safari", "Opera", "Opera Mini", "Android Browser"))
_OF_APPLE = frozenset(("macOS", "iOS"))

_SYSTEMS = {"Mac OS X": "macOS", "Solaris": "SunOS"}
_DISTRIBUTIONS = frozenset(
    (
        "Arch Linux",
        "CentOS",
        "Debian",
        "Fedora",
        "Gentoo",
        "Linux Mint",
        "Mandriva",
        "Mint",
        "Red Hat",
        "SUSE",
        "Ubuntu",
    )
)


@lru_cache(AGENTS_CACHED)
def understood(agent: str) -> Agent:
    """Everything that is read from a User-Agent."""
    browser, system = _parsed(agent)
    named = _system(agent, system)
    return Agent(bots.judge(agent), _browser(agent, browser, named[0]), named)


def load() -> None:
    """Load the patterns now, so that no hit waits for them."""
    bots.load()
    _parsed("Mozilla/5.0 (X11; Linux x86_64)")


def _browser(agent: str, found: "UserAgent | None", system: str) -> Named:
    if old_edge := _EDGE.search(agent):
        return "Edge", old_edge[1]
    # Whatever is built on Chrome counts as Chrome, by Chrome's own version.
    if "Opera Mini" not in agent and (chrome := _CHROME.search(agent)):
        return "Chrome", chrome[1]
    if found is None:
        return "", ""
    name = _BROWSERS.get(found.family, found.family)
    if name == "Safari" and system not in _OF_APPLE:
        return "", ""
    return name, _version(found.major, found.minor if name in _WITH_MINOR else None)


def _system(agent: str, found: "OS | None") -> Named:
    if "PlayStation" in agent:
        console = _PLAYSTATION.search(agent)
        return "PlayStation", console[1] if console else ""
    if found is None:
        return ("DragonFly BSD", "") if "DragonFly" in agent else ("", "")
    if found.family in _DISTRIBUTIONS:
        return "Linux", found.family.removesuffix(" Linux").removeprefix("Linux ")
    if found.family == "Windows" and found.major == "NT":
        return "Windows", ""
    if found.family == "Chrome OS":
        return found.family, ""  # what stands there is the number of a build
    minor = None if found.family == "Android" and found.minor == "0" else found.minor
    return _SYSTEMS.get(found.family, found.family), _version(found.major, minor)


def _version(major: str | None, minor: str | None) -> str:
    return f"{major}.{minor}" if major and minor else major or ""


def _parsed(agent: str) -> "tuple[UserAgent | None, OS | None]":
    from ua_parser import Domain  # noqa: PLC0415  # see _parser

    found = _parser()(agent, Domain.USER_AGENT | Domain.OS)
    return found.user_agent, found.os


@cache
def _parser() -> "Parser":
    # Loaded when first needed: it compiles thousands of patterns, and the command line rarely needs them.
    from ua_parser import Parser, load_lazy_builtins  # noqa: PLC0415
    from ua_parser.regex import Resolver  # noqa: PLC0415

    # Without the cache that ua_parser brings: what is understood is remembered here.
    return Parser(Resolver(load_lazy_builtins()))
