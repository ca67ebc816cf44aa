"""Names the source of a hit and its channel, by the rules in ``sources.txt`` and ``channels.txt``."""

import re
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import NamedTuple
from urllib.parse import urlsplit

from tallystick.model.campaign import parameters
from tallystick.model.text import storable

MAX_VALUE = 512
"""Characters of a parameter's value, a source or a host; the rest is cut off."""
CACHED = 10_000

_SOURCES = ("utm_source", "source", "ref")
_CLICKS = frozenset(
    {"gclid", "gbraid", "wbraid", "dclid", "msclkid", "ttclid", "twclid", "li_fat_id", "yclid", "epik", "rdt_cid"}
)
"""Parameters that hold the id of an advertisement's click. Only their names are read. ``fbclid`` is not among them: it
is added to every link, advertised or not."""
_PAID = re.compile(r"(.*cp.*|ppc|retargeting|paid.*)")
_ANY = "-"
_NO_SOURCE, _UNKNOWN = "no source", "unknown"


class UrlParameters(NamedTuple):
    """What the query string of a page's URL says of where its visitor came from; empty without.

    Attributes:
        paid: whether it has the id of an advertisement's click.
    """

    source: str = ""
    medium: str = ""
    campaign: str = ""
    content: str = ""
    term: str = ""
    paid: bool = False


class Source(NamedTuple):
    """The name of a source, and its channel."""

    name: str
    channel: str


class _Known(NamedTuple):
    name: str
    kind: str


class _Rule(NamedTuple):
    channel: str
    kinds: frozenset[str]
    medium: re.Pattern[str] | None
    campaign: re.Pattern[str] | None
    paid: bool

    def fits(self, kind: str, parameters: UrlParameters, *, paid: bool) -> bool:
        return (
            (not self.kinds or kind in self.kinds)
            and (self.medium is None or self.medium.fullmatch(parameters.medium.lower()) is not None)
            and (self.campaign is None or self.campaign.fullmatch(parameters.campaign.lower()) is not None)
            and (paid or not self.paid)
        )


@lru_cache(CACHED)
def parameters_of(query: str) -> UrlParameters:
    """Read a query string, with or without ``?``; of a repeated parameter the first value counts."""
    if "=" not in query:
        return _NOTHING
    values = {name: storable(value).strip()[:MAX_VALUE] for name, value in parameters(query).items()}
    source = next((values[name] for name in _SOURCES if values.get(name)), "")
    campaign = values.get("utm_campaign") or values.get("campaign", "")
    medium, content, term = (values.get(name, "") for name in ("utm_medium", "utm_content", "utm_term"))
    return UrlParameters(source, medium, campaign, content, term, not _CLICKS.isdisjoint(values))


_NOTHING = UrlParameters()


@lru_cache(CACHED)
def host_of_url(url: str) -> str:
    """The host of a page's URL in lower case, without ``www.`` and port; empty for what is no URL of a page."""
    try:
        host = urlsplit(url[: 4 * MAX_VALUE]).hostname or ""
    except ValueError:
        return ""
    host = storable(host).removesuffix(".").removeprefix("www.")
    return host if len(host) <= MAX_VALUE and _HOST.fullmatch(host) else ""


_HOST = re.compile(r"[^\s/?#@]+")


@lru_cache(CACHED)
def source_of(referrer: str, scheme: str, own_hosts: tuple[str, ...], parameters: UrlParameters) -> Source:
    """The source of a hit and its channel.

    Args:
        referrer, scheme: clean, before a campaign's source took its place; see ``model.referrer``.
        own_hosts: of the page and its site: a referrer from there is none.
    """
    known = _source(referrer, scheme, own_hosts, parameters.source)
    paid = parameters.paid or _PAID.fullmatch(parameters.medium.lower()) is not None
    channel = next((rule.channel for rule in _rules() if rule.fits(known.kind, parameters, paid=paid)), "")
    return Source(known.name, channel)


def _source(referrer: str, scheme: str, own_hosts: tuple[str, ...], named: str) -> _Known:
    if named:
        return _find(named.lower()) or _Known(named, _UNKNOWN)
    host = re.split("[/?#]", referrer, maxsplit=1)[0].lower() if scheme == "h" else referrer.lower()
    host = host.removeprefix("www.")
    if not host or host.partition(":")[0] in own_hosts:
        return _Known("", _NO_SOURCE)
    name = host.partition(":")[0] if scheme == "h" else referrer
    return _find(host.partition(":")[0]) or _Known(name[:MAX_VALUE], _UNKNOWN)


def _find(name: str) -> _Known | None:
    """The rule of a host, an application id or a spelling."""
    known = _known()
    rest = name
    while rest:
        label, _, behind = rest.partition(".")
        found = known.get(rest) or (known.get(f"{label}.*") if behind else None)
        if found:
            return found
        rest = behind
    return None


@cache
def _known() -> Mapping[str, _Known]:
    found: dict[str, _Known] = {}
    for name, kind, patterns in _lines("sources.txt"):
        found |= {pattern.lower(): _Known(name, kind) for pattern in [name, *patterns.split()]}
    return found


@cache
def _rules() -> tuple[_Rule, ...]:
    return tuple(
        _Rule(
            channel,
            frozenset() if kinds == _ANY else frozenset(each.strip() for each in kinds.split(",")),
            None if medium == _ANY else re.compile(medium),
            None if campaign == _ANY else re.compile(campaign),
            paid == "yes",
        )
        for channel, kinds, medium, campaign, paid in _lines("channels.txt")
    )


def _lines(name: str) -> Iterator[list[str]]:
    """The cells of each rule. A bar inside of a cell has a backslash before it."""
    for line in files(__package__).joinpath(name).read_text("utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            yield [cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", line)]


def load() -> None:
    """Read the rules before the first hit needs them."""
    _known()
    _rules()
