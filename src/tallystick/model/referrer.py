"""Cleans referrers, so that each source of visitors has one name (GoatCounter contract, 3.5).

Cleaning accepts any text and is idempotent.
"""

import re
from typing import Literal, NamedTuple
from urllib.parse import SplitResult, quote, unquote, urlsplit

from tallystick.model.text import ESCAPES, storable

Scheme = Literal["h", "g", "c", "o"]
"""HTTP URL, generated (the name of a group), campaign, other."""

MAX_REFERRER = 2_048
"""Characters of a clean referrer."""


class Referrer(NamedTuple):
    """A clean referrer and the host of its URL, in lower case; the host is empty if it was not a URL."""

    text: str
    scheme: Scheme
    host: str = ""


DIRECT = Referrer("", "o")

_URL = re.compile(r"\A(?:[A-Za-z][A-Za-z0-9+.-]*:)?//", re.ASCII)
_ADDRESS = re.compile(
    r"""
    (?:[^\s/?\#@]*@)?                                # user and password
    (?P<host>(?:[\w-]+\.)+[^\W\d_][\w-]+\.?)         # two labels or more; the last begins with a letter
    (?P<port>:[0-9]{0,5})?
    (?P<rest>(?:[/?\#].*)?)
    """,
    re.VERBOSE | re.DOTALL,
)
_ENCODED = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{1,30}(?::|%(?:25){0,3}3A)(?:/|%(?:25){0,3}2F){2}", re.IGNORECASE)
_PARAMETER = re.compile(r"[\w.~-]+=")
_BLANK = re.compile(r"\s")
_USUAL_PORTS = frozenset({"", ":", ":80", ":443"})
_WEB = frozenset({"http", "https", ""})
_TWEETED = "twitter.com/search?q=https%3A%2F%2Ft.co%2F"

_ALIASES = {
    "en.m.wikipedia.org": "en.wikipedia.org",
    "m.facebook.com": "www.facebook.com",
    "m.habr.com": "habr.com",
    "old.reddit.com": "www.reddit.com",
    "i.reddit.com": "www.reddit.com",
    "np.reddit.com": "www.reddit.com",
    "fr.reddit.com": "www.reddit.com",
}

_GROUPS: dict[str, tuple[str, ...]] = {
    "Google": ("com.google.android.googlequicksearchbox",),
    "Hacker News": (
        "news.ycombinator.com",
        "hn.algolia.com",
        "hckrnews.com",
        "hn.premii.com",
        "hackerweb.app",
        "quiethn.com",
        "hnews.xyz",
        "hackernewsmobile.com",
        "com.stefandekanski.hackernews.free",
        "io.github.hidroh.materialistic",
    ),
    "Email": ("mail.google.com", "mail.yahoo.com", "com.google.android.gm"),
    "RSS": (
        "inoreader.com",
        "www.inoreader.com",
        "com.innologica.inoreader",
        "feedly.com",
        "usepanda.com",
        "org.fox.ttrss",
    ),
    "www.reddit.com": (
        "com.reddit.frontpage",
        "com.laurencedawson.reddit_sync",
        "com.laurencedawson.reddit_sync.pro",
        "com.andrewshu.android.reddit",
        "com.andrewshu.android.redditdonation",
        "com.rubenmayayo.reddit",
        "com.onelouder.baconreader",
        "free.reddit.news",
        "reddit.news",
        "me.ccrama.redditslide",
    ),
    "www.facebook.com": ("m.facebook.com", "l.facebook.com", "lm.facebook.com"),
    "Telegram Messenger": ("org.telegram.messenger",),
    "Slack Chat": ("com.slack",),
    "Baidu": ("baidu.com", "www.baidu.com", "m.baidu.com", "tieba.baidu.com", "c.tieba.baidu.com"),
}
_GROUP_OF = {host: group for group, hosts in _GROUPS.items() for host in hosts}
_REDDIT_LISTINGS = ("/top", "/new", "/search", ".compact")


def clean_referrer(text: str) -> Referrer:
    """Clean a URL, with or without its scheme, or free text."""
    text = storable(_decoded(text)).strip()
    if not _URL.match(text):
        return Referrer(tidied(text), "o")
    try:
        url = urlsplit(text)
        host = _host(url)
        netloc = _netloc(url, host)
    except ValueError:
        return Referrer(tidied(text), "o")
    canonical_host = _ALIASES.get(netloc, netloc)
    group = _group(canonical_host, url.path)
    if group:
        return Referrer(group, "g", host)
    cleaned = _cut(canonical_host, url)
    if not cleaned:
        return DIRECT
    return Referrer(cleaned, "h" if url.scheme in _WEB else "o", host)


def tidied(text: str) -> str:
    """The form in which referrers, sources of campaigns and a site's own address are compared.

    Leaves out scheme, user, password, default port, query, a host's final dot and the final slash: they say nothing
    about the source, and queries can identify people. Idempotent.
    """
    text = storable(_decoded(text))
    while (tidier := _tidied_once(text)) != text:
        text = storable(_decoded(tidier))
    return text


def _decoded(text: str) -> str:
    """Undo the percent-encoding of a URL that was encoded as a whole, once or more often."""
    while (match := _ENCODED.match(text)) and "%" in match[0]:
        text = unquote(text, errors=ESCAPES)
    return text


def _tidied_once(text: str) -> str:
    text = _without_ends(text)
    if text.startswith(_TWEETED):
        return text
    text = _URL.sub("", text, count=1)
    if address := _ADDRESS.fullmatch(text):
        port = address["port"] or ""
        path, _, fragment = address["rest"].partition("#")
        host = _without_dot(address["host"]) + ("" if port in _USUAL_PORTS else port)
        return _without_ends(host + path.partition("?")[0] + _kept_fragment(fragment))
    before, mark, fragment = text.partition("#")
    return _without_ends(_without_query(before) + (_kept_fragment(fragment) if fragment else mark))


def _without_query(text: str) -> str:
    """Remove a query. A question mark in free text stays: a query follows text without blanks, or has values."""
    before, _, query = text.partition("?")
    return before if _BLANK.search(before) is None or "=" in query else text


def _kept_fragment(fragment: str) -> str:
    """A fragment with its ``#``, without the query that it has where pages are routed by fragments.

    A fragment of parameters only, such as a login's token, is left out.
    """
    kept = "" if _PARAMETER.match(fragment) else _without_ends(fragment.partition("?")[0])
    return f"#{kept}" if kept else ""


def _host(url: SplitResult) -> str:
    host = url.hostname or ""
    if _BLANK.search(host):
        msg = "a host cannot have blanks"
        raise ValueError(msg)
    return _without_dot(host)


def _netloc(url: SplitResult, host: str) -> str:
    """The host and its port, without user and password."""
    host = f"[{host}]" if ":" in host else host
    port = "" if url.port is None else f":{url.port}"
    return host if port in _USUAL_PORTS else host + port


def _without_dot(host: str) -> str:
    """A host without the final dot of a fully qualified name."""
    return host.rstrip(".") or host


def _group(host: str, path: str) -> str | None:
    if host.removeprefix("www.").startswith("google."):
        return "Google"
    if "yandex." in host:
        return "Yandex"
    if "search.yahoo.com" in host:
        return "Yahoo"
    if host == "www.daemonology.net" and path.startswith("/hn-daily"):
        return "Hacker News"
    return _GROUP_OF.get(host)


def _cut(host: str, url: SplitResult) -> str:
    """Host, path and fragment, without the query and without parts that are the same for every visitor."""
    path = url.path
    if host == "link.oreilly.com":
        return host
    if host in {"lobste.rs", "gambe.ro"} and not path.startswith("/s/"):
        return "lobste.rs"
    if host in {"getpocket.com", "app.getpocket.com"}:
        return "getpocket.com"
    if host == "t.co" and path.strip("/"):
        # A search for the shortened link shows who posted it.
        return _TWEETED + quote(path.strip("/ "), safe="")
    if host == "www.reddit.com":
        path = _without_listings(path)
    fragment = _kept_fragment(url.fragment)
    # Without a host there must be no second slash in front, or the path would read as a host.
    return _without_ends(f"{host}{path}{fragment}" if host else f"/{path.lstrip('/')}{fragment}")


def _without_listings(path: str) -> str:
    while (shorter := _without_ends(path)).endswith(_REDDIT_LISTINGS):
        path = next(shorter.removesuffix(listing) for listing in _REDDIT_LISTINGS if shorter.endswith(listing))
    return shorter


def _without_ends(text: str) -> str:
    while (shorter := text.strip().rstrip("/")) != text:
        text = shorter
    return text
