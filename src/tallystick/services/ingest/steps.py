"""The steps of a hit's way in. Each may end it; ``services.ingest.ingest.STEPS`` has their order."""

from functools import lru_cache

from tallystick.model.campaign import NO_CAMPAIGN, campaign_of
from tallystick.model.hit import MAX_AHEAD_S, MAX_TITLE, WEB_BEGAN, Bot, is_bot, time_problem
from tallystick.model.path import MAX_PATH, clean_event, clean_path, is_ignored
from tallystick.model.product import UNKNOWN, known_browser, known_system
from tallystick.model.referrer import DIRECT, MAX_REFERRER, clean_referrer, tidied
from tallystick.model.text import storable
from tallystick.services.ingest.agents import Agent, understood
from tallystick.services.ingest.arrival import Arrival, Dropped, DropReason, InvalidHit
from tallystick.services.ingest.collection_rules import CollectionRules, address_of
from tallystick.services.ingest.countries import NOWHERE, location_of
from tallystick.services.ingest.languages import language_of

MAX_AGENT = 512
"""Characters of a User-Agent that are read; the rest tells nothing more."""
MAX_SHORT = 100
"""Characters of a location, a language or an address."""
MAX_UNREAD = 4_096
"""Characters of a path, referrer or query before cleaning."""
MAX_WIDTH = 2**31 - 1
MAX_BOT = 255

NO_SESSION = "session or browser/IP not set; use no_sessions if you don't want to track unique visits"

PATHS_CACHED = REFERRERS_CACHED = QUERIES_CACHED = 10_000

_PREFETCH = Dropped(DropReason.PREFETCH)
_OPTED_OUT = Dropped(DropReason.OPTED_OUT)
_IGNORED_ADDRESS = Dropped(DropReason.IGNORED_ADDRESS)
_IGNORED_PATH = Dropped(DropReason.IGNORED_PATH)
_SPAM_REFERRER = Dropped(DropReason.SPAM_REFERRER)
_NO_SESSION = InvalidHit({}, NO_SESSION)

_clean_path = lru_cache(PATHS_CACHED)(clean_path)
_clean_event = lru_cache(PATHS_CACHED)(clean_event)
_clean_referrer = lru_cache(REFERRERS_CACHED)(clean_referrer)
_campaign_of = lru_cache(QUERIES_CACHED)(campaign_of)


def drop_prefetch(_: CollectionRules, arrival: Arrival) -> Dropped | None:
    """A browser asked ahead of time; perhaps nobody will ever see the page."""
    return _PREFETCH if arrival.prefetch else None


def drop_opted_out(rules: CollectionRules, arrival: Arrival) -> Dropped | None:
    """A browser asks not to be counted, and the site heeds it."""
    settings = rules.site.settings
    refused = (arrival.gpc and settings.respect_gpc) or (arrival.dnt and settings.respect_dnt)
    return _OPTED_OUT if refused else None


def check_size(_: CollectionRules, arrival: Arrival) -> InvalidHit | None:
    """Of what is far too long only the beginning is read; a path has to be whole."""
    if len(arrival.agent) > MAX_AGENT:
        arrival.agent = arrival.agent[:MAX_AGENT]
    if len(arrival.ref) > MAX_UNREAD:
        arrival.ref = arrival.ref[:MAX_UNREAD]
    if len(arrival.query) > MAX_UNREAD:
        arrival.query = arrival.query[:MAX_UNREAD].rpartition("&")[0]
    if len(arrival.path) <= MAX_UNREAD:
        return None
    return InvalidHit(_too_long(("path", arrival.path, MAX_UNREAD)))


def _too_long(*limited: tuple[str, str, int]) -> dict[str, tuple[str, ...]]:
    return {field: (f"must be shorter than {most} characters",) for field, text, most in limited if len(text) > most}


def drop_ignored_address(rules: CollectionRules, arrival: Arrival) -> Dropped | None:
    """Read the address; the site may not want hits from it."""
    address = arrival.address
    if isinstance(address, str):
        address = arrival.address = address_of(address[:MAX_SHORT])
    if rules.ignored is None or not arrival.filtered or address is None:
        return None
    return _IGNORED_ADDRESS if rules.ignored.has(address) else None


def find_location(rules: CollectionRules, arrival: Arrival) -> None:
    """Country and region: as told, else of the address."""
    if not rules.collects_locations:
        return
    if arrival.location:
        location = location_of(arrival.location[:MAX_SHORT])
    elif arrival.address is None or isinstance(arrival.address, str):
        location = NOWHERE
    else:
        location = rules.countries.locate(arrival.address)
    arrival.country = location.country
    if location.region and rules.regions is not None and (not rules.regions or location.country in rules.regions):
        arrival.region = location.region


def find_language(rules: CollectionRules, arrival: Arrival) -> None:
    """ISO 639-3 code of the language."""
    arrival.language = language_of(arrival.language[:MAX_SHORT]) if rules.collects_languages else ""


def find_agent(rules: CollectionRules, arrival: Arrival) -> None:
    """Browser and system, by names of the closed list, and whether a program sent it. No agent: no bot."""
    found = understood(arrival.agent) if arrival.agent or arrival.direct else None
    arrival.bot = _bot(found, arrival.bot)
    if not rules.collects_agents:
        arrival.browser = arrival.system = UNKNOWN
        return
    unnamed = (found.browser, found.system) if found else (UNKNOWN, UNKNOWN)
    arrival.browser = unnamed[0] if arrival.browser is None else known_browser(*arrival.browser)
    arrival.system = unnamed[1] if arrival.system is None else known_system(*arrival.system)


def _bot(found: Agent | None, told: int) -> int:
    if found is not None and is_bot(found.bot):
        return found.bot
    if told <= Bot.KNOWN_NOT:
        return Bot.KNOWN_NOT
    # Whatever is told above 0 is a bot's; 1 says nothing of which.
    return Bot.KNOWN if told == Bot.NO_MATCH else min(told, MAX_BOT)


def find_visitor(rules: CollectionRules, arrival: Arrival) -> InvalidHit | None:
    """Who is told apart: by the sender's own session, else by address and agent."""
    told = arrival.direct or bool(arrival.agent and arrival.address is not None)
    if not (arrival.session or told or arrival.sessionless or arrival.no_session):
        return _NO_SESSION
    if arrival.no_session or not rules.collects_sessions or is_bot(arrival.bot):
        return None
    if arrival.session:
        arrival.visitor = rules.salts.visitor_of_session(rules.site.id, arrival.session)
    elif told:
        arrival.visitor = rules.salts.visitor(rules.site.id, arrival.address or "", arrival.agent)
    return None


def clean_name(_: CollectionRules, arrival: Arrival) -> None:
    """The path or event's name, and the title, as they are kept."""
    # A browser that sends an event must name it; servers may leave that to us.
    if not arrival.event:
        arrival.path = _clean_path(arrival.path)
    elif arrival.path or not arrival.direct:
        arrival.path = _clean_event(arrival.path)
    if arrival.title:
        arrival.title = storable(arrival.title)


def find_source(_: CollectionRules, arrival: Arrival) -> None:
    """Where the visitor came from: a campaign's source wins over the referrer."""
    if arrival.ref_scheme is not None:
        # Referrers that other counters have cleaned; they may have left queries of addresses without a scheme, and
        # sources of campaigns as they came.
        ref = storable(arrival.ref)
        arrival.ref = ref if arrival.ref_scheme == "g" else tidied(ref)
        arrival.ref_scheme = arrival.ref_scheme if arrival.ref else "o"
    else:
        referrer = _clean_referrer(arrival.ref) if arrival.ref else DIRECT
        arrival.ref, arrival.ref_scheme, arrival.ref_host = referrer
    campaign = _campaign_of(arrival.query) if arrival.query else NO_CAMPAIGN
    if campaign.source and not arrival.event:
        arrival.ref, arrival.ref_scheme = campaign.source, "c"
    if campaign.name:
        arrival.campaign = campaign.name
        if arrival.ref:
            arrival.ref_scheme = "c"


def check(_: CollectionRules, arrival: Arrival) -> InvalidHit | None:
    """Whether it can be recorded at all."""
    created = arrival.received if arrival.created is None else arrival.created
    if (
        0 < len(arrival.path) <= MAX_PATH
        and len(arrival.title) <= MAX_TITLE
        and len(arrival.ref) <= MAX_REFERRER
        and WEB_BEGAN <= created <= arrival.received + MAX_AHEAD_S
    ):
        arrival.created = created
        return None
    return InvalidHit(_errors(arrival, created))


def _errors(arrival: Arrival, created: int) -> dict[str, tuple[str, ...]]:
    errors = _too_long(
        ("path", arrival.path, MAX_PATH), ("title", arrival.title, MAX_TITLE), ("ref", arrival.ref, MAX_REFERRER)
    )
    if not arrival.path:
        errors["path"] = ("must be set", "must be longer than 1 characters")
    if problem := time_problem(created, arrival.received):
        errors["created_at"] = (problem,)
    return errors


def drop_ignored_path(_: CollectionRules, arrival: Arrival) -> Dropped | None:
    """Icons and the like are no pages."""
    return _IGNORED_PATH if not arrival.event and is_ignored(arrival.path) else None


def drop_spam_referrer(rules: CollectionRules, arrival: Arrival) -> Dropped | None:
    """A referrer that only wants to be seen in statistics."""
    return _SPAM_REFERRER if arrival.ref_host and rules.spam.knows(arrival.ref_host) else None


def keep_what_is_collected(rules: CollectionRules, arrival: Arrival) -> None:
    """Forget what the site does not want to know and no step has left out already."""
    arrival.width = min(max(arrival.width, 0), MAX_WIDTH) if rules.collects_widths else 0
    if not rules.collects_referrers:
        arrival.ref, arrival.ref_scheme, arrival.campaign = "", "o", ""
