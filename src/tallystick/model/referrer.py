"""Where a visitor came from, told in one way however it was sent (GoatCounter contract, 3.5).

Cleaning accepts any text, and cleaning what is clean changes nothing.
"""

import re
from typing import Literal, NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

from tallystick.model.text import storable

Scheme = Literal["h", "g", "c", "o"]
"""HTTP URL, generated (the name of a group), campaign, other."""

MAX_REFERRER = 2_048
"""Characters of a clean referrer."""


class Referrer(NamedTuple):
    """A clean referrer, and the host it was read from: lower case, empty when it is no URL."""

    text: str
    scheme: Scheme
    host: str = ""


DIRECT = Referrer("", "o")

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://", re.ASCII)

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
_REDDIT_LISTINGS = re.compile(r"(?:/(?:top|new|search)|/?\.compact)/?\Z")


def clean_referrer(text: str) -> Referrer:
    """Clean a URL or free text."""
    text = storable(text).strip()
    if not _URL.match(text):
        return Referrer(text, "o")
    try:
        url = urlsplit(text)
        host = url.hostname or ""
        netloc = _netloc(url, host)
    except ValueError:
        return Referrer(text, "o")
    host_known_as = _ALIASES.get(netloc, netloc)
    group = _group(host_known_as, url.path)
    if group:
        return Referrer(group, "g", host)
    cleaned = _cut(host_known_as, url)
    return Referrer(cleaned, "h", host) if cleaned else DIRECT


def _netloc(url: SplitResult, host: str) -> str:
    """The host and its port, never the user and password that a URL can carry."""
    host = f"[{host}]" if ":" in host else host
    return host if url.port is None else f"{host}:{url.port}"


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
    """Host, path and fragment: without a query, and without what tells nothing."""
    path = url.path
    if host == "link.oreilly.com":
        return host
    if host in {"lobste.rs", "gambe.ro"} and not path.startswith("/s/"):
        return "lobste.rs"
    if host in {"getpocket.com", "app.getpocket.com"}:
        return "getpocket.com"
    if host == "t.co" and path.strip("/"):
        # The search for a shortened link is what shows who posted it.
        return "twitter.com/search?q=" + quote(f"https://t.co{path.rstrip('/ ')}", safe="")
    if host == "www.reddit.com":
        while (shorter := _REDDIT_LISTINGS.sub("", path)) != path:
            path = shorter
    fragment = f"#{url.fragment}" if url.fragment else ""
    return _without_ends(f"{host}{path}{fragment}")


def _without_ends(text: str) -> str:
    while (shorter := text.strip().rstrip("/")) != text:
        text = shorter
    return text
