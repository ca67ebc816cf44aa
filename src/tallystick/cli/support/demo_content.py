"""What the sites of the demo show: pages, sources, browsers, countries. Everything is invented."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from random import Random
from typing import Generic, NamedTuple, TypeVar

from msgspec import Struct

Value = TypeVar("Value")


class Weighted(Generic[Value]):
    """Values of which some are drawn more often than others."""

    def __init__(self, weights: Mapping[Value, float]) -> None:
        self._values, self._sums = tuple(weights), tuple(accumulate(weights.values()))

    def draw(self, random: Random) -> Value:
        """One value."""
        return random.choices(self._values, cum_weights=self._sums)[0]


class Link(NamedTuple):
    """What leads to a page: a referrer, and the query string of the page's address."""

    referrer: str = ""
    query: str = ""


class DemoAgent(NamedTuple):
    """A browser.

    Attributes:
        text: its User-Agent, with ``{0}`` in the place of the version.
        newest: its version at the end of the demo's time.
        days: between two versions.
        widths: of its screens.
    """

    text: str
    newest: int
    days: int
    widths: Sequence[int]


class Sender(NamedTuple):
    """Where a visitor is. ``language`` is ISO 639-3, as hits store it."""

    country: str
    region: str
    language: str


class DemoSite(Struct, frozen=True, kw_only=True):
    """A site of the demo.

    Attributes:
        domain: of the website, and the host by which hits choose the site.
        share: of all visits.
        titles: of its pages, by path.
        posts: days before the end on which pages were published; other pages were always there.
        landings: pages that visits begin with.
        onward: pages that are read next.
        links: what leads to the site.
        campaigns: what leads to it on some days: the first and last day before the end, and their share of all visits.
        shout: a day before the end on which many came to one page from one link.
    """

    domain: str
    share: float
    titles: Mapping[str, str]
    posts: Mapping[str, int]
    landings: Weighted[str]
    onward: Weighted[str]
    links: Weighted[Link]
    campaigns: Sequence[tuple[int, int, float, Link]] = ()
    shout: tuple[int, str, Link] | None = None


_MONTHLY, _YEARLY = 28, 365
_WINDOWS, _MAC = "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7"
_IPHONE = "iPhone; CPU iPhone OS 18_5 like Mac OS X"
_IPAD = "iPad; CPU OS 18_5 like Mac OS X"
_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{0}.0.0.0 Safari/537.36"
_CHROME_MOBILE = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{0}.0.0.0 Mobile Safari/537.36"
_SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/{0}.0"
_DESKTOP, _PHONE, _TABLET = (1920, 1920, 1536, 1440, 2560, 1366), (390, 393, 412, 360, 430), (820, 768, 1024)

AGENTS = Weighted(
    {
        DemoAgent(f"Mozilla/5.0 ({_WINDOWS}) {_CHROME}", 150, _MONTHLY, _DESKTOP): 24,
        DemoAgent(f"Mozilla/5.0 ({_MAC}) {_CHROME}", 150, _MONTHLY, _DESKTOP): 11,
        DemoAgent(f"Mozilla/5.0 (X11; Linux x86_64) {_CHROME}", 150, _MONTHLY, _DESKTOP): 5,
        DemoAgent(f"Mozilla/5.0 ({_WINDOWS}) {_CHROME} Edg/{{0}}.0.0.0", 150, _MONTHLY, _DESKTOP): 7,
        DemoAgent(f"Mozilla/5.0 ({_WINDOWS}; rv:{{0}}.0) Gecko/20100101 Firefox/{{0}}.0", 155, _MONTHLY, _DESKTOP): 7,
        DemoAgent("Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Firefox/{0}.0", 155, _MONTHLY, _DESKTOP): 6,
        DemoAgent("Mozilla/5.0 (Android 15; Mobile; rv:{0}.0) Gecko/{0}.0 Firefox/{0}.0", 155, _MONTHLY, _PHONE): 2,
        DemoAgent(f"Mozilla/5.0 ({_MAC}) {_SAFARI} Safari/605.1.15", 26, _YEARLY, _DESKTOP): 9,
        DemoAgent(f"Mozilla/5.0 ({_IPHONE}) {_SAFARI} Mobile/15E148 Safari/604.1", 26, _YEARLY, _PHONE): 14,
        DemoAgent(f"Mozilla/5.0 ({_IPAD}) {_SAFARI} Mobile/15E148 Safari/604.1", 26, _YEARLY, _TABLET): 2,
        DemoAgent(f"Mozilla/5.0 (Linux; Android 10; K) {_CHROME_MOBILE}", 150, _MONTHLY, _PHONE): 12,
    }
)  # fmt: skip

SENDERS = Weighted(
    {
        Sender("DE", "BE", "deu"): 6, Sender("DE", "BY", "deu"): 5, Sender("DE", "HH", "deu"): 3,
        Sender("DE", "NW", "deu"): 5, Sender("AT", "9", "deu"): 3, Sender("CH", "ZH", "deu"): 3,
        Sender("US", "CA", "eng"): 9, Sender("US", "NY", "eng"): 6, Sender("US", "WA", "eng"): 4,
        Sender("US", "TX", "eng"): 4, Sender("GB", "ENG", "eng"): 8, Sender("GB", "SCT", "eng"): 1,
        Sender("IE", "L", "eng"): 1, Sender("CA", "ON", "eng"): 3, Sender("CA", "QC", "fra"): 1,
        Sender("FR", "IDF", "fra"): 4, Sender("FR", "ARA", "fra"): 2, Sender("NL", "NH", "nld"): 4,
        Sender("BE", "VLG", "nld"): 1, Sender("SE", "AB", "swe"): 2, Sender("DK", "84", "dan"): 1,
        Sender("NO", "03", "nor"): 1, Sender("FI", "18", "fin"): 1, Sender("PL", "14", "pol"): 3,
        Sender("ES", "MD", "spa"): 2, Sender("ES", "CT", "spa"): 1, Sender("PT", "11", "por"): 1,
        Sender("IT", "25", "ita"): 2, Sender("CZ", "10", "ces"): 1, Sender("IN", "KA", "eng"): 4,
        Sender("IN", "MH", "eng"): 2, Sender("JP", "13", "jpn"): 3, Sender("KR", "11", "kor"): 1,
        Sender("AU", "NSW", "eng"): 2, Sender("NZ", "AUK", "eng"): 1, Sender("BR", "SP", "por"): 3,
        Sender("MX", "CMX", "spa"): 1, Sender("AR", "C", "spa"): 1, Sender("ZA", "GP", "eng"): 1,
        Sender("KE", "30", "eng"): 0.5, Sender("NG", "LA", "eng"): 0.5, Sender("SG", "", "eng"): 1,
        Sender("UA", "30", "ukr"): 1, Sender("TR", "34", "tur"): 1,
    }
)  # fmt: skip

HOURS = (2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 12, 11, 11, 12, 13, 13, 12, 11, 10, 10, 9, 8, 6, 4)
"""Visits by hour of the day."""
WEEKDAYS = (1.06, 1.12, 1.1, 1.08, 0.96, 0.62, 0.66)
"""Visits by day of the week, Monday first."""

BOT_AGENTS = (
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "curl/8.11.1",
    "python-requests/2.32.3",
)
OWN_NETWORK, OWN_ADDRESS = "198.51.100.0/24", "198.51.100.23"
"""Hits from here are not counted: the network of the company that the demo pretends to be."""

_POSTS = {
    "/blog/we-rewrote-our-search": ("We rewrote our search in a weekend", 74),
    "/blog/kettle-4": ("Kettle 4 is here", 168),
    "/blog/offline-first": ("Offline first, two years later", 33),
    "/blog/pricing-without-tricks": ("Pricing without tricks", 240),
    "/blog/small-tools": ("In praise of small tools", 301),
    "/blog/a-quiet-inbox": ("A quiet inbox", 12),
    "/blog/how-we-answer-mail": ("How we answer your mail", 350),
}
_TITLES = {
    "/": "Kettle · lists that keep up with you",
    "/features": "Features · Kettle",
    "/pricing": "Pricing · Kettle",
    "/download": "Download · Kettle",
    "/signup": "Create an account · Kettle",
    "/about": "About us · Kettle",
    "/docs": "Handbook · Kettle",
    "/docs/install": "Installing · Kettle handbook",
    "/docs/keyboard": "Keyboard · Kettle handbook",
    "/docs/sync": "Synchronising · Kettle handbook",
    "/docs/api": "API · Kettle handbook",
    "/blog": "Blog · Kettle",
    **{path: f"{title} · Kettle" for path, (title, _) in _POSTS.items()},
}
NEWS_POST, RELEASE_POST = "/blog/we-rewrote-our-search", "/blog/kettle-4"
SHOUTED_DAYS_AGO = _POSTS[NEWS_POST][1]
RELEASED_DAYS_AGO = _POSTS[RELEASE_POST][1]
AUTHORS = {path: ("Mira", "Jonas")[number % 2] for number, path in enumerate(_POSTS)}


def _campaign(source: str, medium: str, name: str, more: str = "") -> Link:
    return Link(query=f"utm_source={source}&utm_medium={medium}&utm_campaign={name}{more}")


MAIN = DemoSite(
    domain="demo.example",
    share=0.9,
    titles=_TITLES,
    posts={path: ago for path, (_, ago) in _POSTS.items()},
    landings=Weighted(
        {"/": 38, "/features": 6, "/pricing": 7, "/download": 5, "/docs": 4, "/docs/install": 6, "/docs/keyboard": 4,
         "/docs/sync": 5, "/docs/api": 3, "/blog": 3, **dict.fromkeys(_POSTS, 3)}
    ),
    onward=Weighted(
        {"/": 12, "/features": 16, "/pricing": 18, "/download": 12, "/signup": 12, "/about": 4, "/docs": 7,
         "/docs/install": 5, "/docs/keyboard": 3, "/docs/sync": 4, "/docs/api": 2, "/blog": 5,
         **dict.fromkeys(_POSTS, 1)}
    ),
    links=Weighted(
        {
            Link(): 36, Link("https://www.google.com/"): 27, Link("https://duckduckgo.com/"): 5,
            Link("https://www.bing.com/"): 4, Link("https://www.ecosia.org/"): 1, Link("https://chatgpt.com/"): 4,
            Link("https://www.perplexity.ai/"): 1, Link("https://github.com/kettle/kettle"): 6,
            Link("https://news.ycombinator.com/"): 1, Link("https://www.reddit.com/r/productivity/"): 3,
            Link("https://mastodon.social/"): 2, Link("https://bsky.app/"): 2, Link("https://www.youtube.com/"): 2,
            Link("https://lobste.rs/"): 1, Link("https://t.co/"): 1, Link("https://www.linkedin.com/"): 1,
            Link("https://tools.example/best-list-apps"): 3,
        }
    ),
    campaigns=(
        (396, 0, 0.05, _campaign("google", "cpc", "lists", "&utm_term=shared+list")),
        (RELEASED_DAYS_AGO, RELEASED_DAYS_AGO - 10, 0.2, _campaign("newsletter", "email", "kettle-4")),
        (61, 57, 0.16, _campaign("newsletter", "email", "spring-cleaning")),
        (12, 8, 0.14, _campaign("newsletter", "email", "quiet-inbox", "&utm_content=top")),
        (40, 0, 0.06, _campaign("linkedin", "paid_social", "teams")),
    ),
    shout=(SHOUTED_DAYS_AGO, NEWS_POST, Link("https://news.ycombinator.com/item?id=1")),
)  # fmt: skip

_NOTES = {
    "/": "Notes from the garden",
    "/tomatoes": "Tomatoes on a balcony",
    "/bees": "A year with bees",
    "/compost": "Compost without a smell",
    "/about": "Who writes here",
}
NOTES = DemoSite(
    domain="notes.example",
    share=0.1,
    titles=_NOTES,
    posts={"/bees": 150, "/compost": 45},
    landings=Weighted({"/": 4, "/tomatoes": 5, "/bees": 4, "/compost": 3}),
    onward=Weighted(dict.fromkeys(_NOTES, 1)),
    links=Weighted(
        {
            Link(): 5, Link("https://www.google.com/"): 6, Link("https://www.pinterest.com/"): 2,
            Link("https://mastodon.social/"): 1,
        }
    ),
)  # fmt: skip
SITES = (MAIN, NOTES)
