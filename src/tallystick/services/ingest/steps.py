"""The steps of the pipeline. Each may refuse a hit; ``services.ingest.ingest.STEPS`` has their order."""

from functools import lru_cache

from tallystick.model.campaign import NO_CAMPAIGN, campaign_of
from tallystick.model.hit import MAX_AHEAD_S, MAX_TITLE, WEB_BEGAN, Bot, is_bot, time_problem
from tallystick.model.path import MAX_PATH, clean_event, clean_path, is_ignored
from tallystick.model.product import UNKNOWN, known_browser, known_device, known_system
from tallystick.model.props import MAX_PROPS, NO_PROPS, is_too_long
from tallystick.model.referrer import DIRECT, MAX_REFERRER, clean_referrer, tidied
from tallystick.model.text import storable
from tallystick.services.ingest.agents import Agent, parse_agent
from tallystick.services.ingest.arrival import Arrival, Dropped, DropReason, InvalidHit
from tallystick.services.ingest.collection_rules import CollectionRules, address_of
from tallystick.services.ingest.countries import NOWHERE, Location, location_of
from tallystick.services.ingest.languages import language_of
from tallystick.services.ingest.sources import parameters_of, source_of

MAX_AGENT = 512
"""Characters of a User-Agent that are read; the rest holds no more information."""
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
_IGNORED_COUNTRY = Dropped(DropReason.IGNORED_COUNTRY)
_IGNORED_PAGE = Dropped(DropReason.IGNORED_PAGE)
_IGNORED_HOST = Dropped(DropReason.IGNORED_HOST)
_IGNORED_CAMPAIGN = Dropped(DropReason.IGNORED_CAMPAIGN)
_SPAM_REFERRER = Dropped(DropReason.SPAM_REFERRER)
_NO_SESSION = InvalidHit({}, NO_SESSION)

_clean_path = lru_cache(PATHS_CACHED)(clean_path)
_clean_event = lru_cache(PATHS_CACHED)(clean_event)
_clean_referrer = lru_cache(REFERRERS_CACHED)(clean_referrer)
_campaign_of = lru_cache(QUERIES_CACHED)(campaign_of)


def drop_prefetch(_: CollectionRules, arrival: Arrival) -> Dropped | None:
    """Drop a prefetch: the page may never be shown."""
    return _PREFETCH if arrival.prefetch else None


def drop_opted_out(rules: CollectionRules, arrival: Arrival) -> Dropped | None:
    """Drop a hit whose browser asks not to be tracked, if the site respects that."""
    settings = rules.site.settings
    opted_out = (arrival.gpc and settings.respect_gpc) or (arrival.dnt and settings.respect_dnt)
    return _OPTED_OUT if opted_out else None


def check_size(_: CollectionRules, arrival: Arrival) -> InvalidHit | None:
    """Cut texts that are far too long; refuse a path that is."""
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
    """Parse the address, and drop the hit if the site ignores it."""
    address = arrival.address
    if isinstance(address, str):
        address = arrival.address = address_of(address[:MAX_SHORT])
    if rules.ignored is None or not arrival.filtered or address is None:
        return None
    return _IGNORED_ADDRESS if rules.ignored.has(address) else None


def drop_ignored_country(rules: CollectionRules, arrival: Arrival) -> Dropped | None:
    """Drop hits from countries that the site leaves out, also where it does not store countries."""
    if not rules.ignored_countries or not arrival.filtered:
        return None
    return _IGNORED_COUNTRY if _location(rules, arrival).country in rules.ignored_countries else None


def _location(rules: CollectionRules, arrival: Arrival) -> Location:
    if arrival.location:
        return location_of(arrival.location[:MAX_SHORT])
    if arrival.address is None or isinstance(arrival.address, str):
        return NOWHERE
    return rules.countries.locate(arrival.address)


def find_location(rules: CollectionRules, arrival: Arrival) -> None:
    """Set country and region, from ``location`` if given, else from the address."""
    if not rules.collects_locations:
        return
    location = _location(rules, arrival)
    arrival.country = location.country
    if location.region and rules.regions is not None and (not rules.regions or location.country in rules.regions):
        arrival.region = location.region


def find_language(rules: CollectionRules, arrival: Arrival) -> None:
    """Set the language to its ISO 639-3 code."""
    arrival.language = language_of(arrival.language[:MAX_SHORT]) if rules.collects_languages else ""


def find_agent(rules: CollectionRules, arrival: Arrival) -> None:
    """Set browser, system, device and bot code from the User-Agent. A server's hit without one is no bot's."""
    agent = parse_agent(arrival.agent) if arrival.agent or arrival.direct else None
    arrival.bot = bot_code(agent, arrival.bot)
    if not rules.collects_agents:
        arrival.browser = arrival.system = UNKNOWN
        arrival.device = ""
        return
    browser, system = (agent.browser, agent.system) if agent else (UNKNOWN, UNKNOWN)
    arrival.browser = browser if arrival.browser is None else known_browser(*arrival.browser)
    arrival.system = system if arrival.system is None else known_system(*arrival.system)
    if arrival.device is None:
        arrival.device = agent.device if agent else ""
    else:
        arrival.device = known_device(arrival.device)


def bot_code(agent: Agent | None, sent: int) -> int:
    """The bot code: that of the User-Agent, else the one the sender gave."""
    if agent is not None and is_bot(agent.bot):
        return agent.bot
    if sent <= Bot.KNOWN_NOT:
        return Bot.KNOWN_NOT
    # A sender's code above 0 means a bot, but 1 does not say which.
    return Bot.KNOWN if sent == Bot.NO_MATCH else min(sent, MAX_BOT)


def find_visitor(rules: CollectionRules, arrival: Arrival) -> InvalidHit | None:
    """Set the visitor's hash, from the sender's session key if given, else from address and User-Agent."""
    identified = arrival.direct or bool(arrival.agent and arrival.address is not None)
    if not (arrival.session or identified or arrival.sessionless or arrival.no_session):
        return _NO_SESSION
    if not has_session(rules, arrival.bot, no_session=arrival.no_session):
        return None
    if arrival.session:
        arrival.visitor = rules.salts.visitor_of_session(rules.site.id, arrival.session)
    elif identified:
        arrival.visitor = rules.salts.visitor(rules.site.id, arrival.address or "", arrival.agent)
    return None


def has_session(rules: CollectionRules, bot: int, *, no_session: bool) -> bool:
    """Whether a hit gets a visitor's hash, and so a session."""
    return not no_session and rules.collects_sessions and not is_bot(bot)


def clean_name(_: CollectionRules, arrival: Arrival) -> None:
    """Clean the path or event name, the title, and the page of an event."""
    # A browser's event needs a name; a server's event without one gets a default name.
    if not arrival.event:
        arrival.path = _clean_path(arrival.path)
    elif arrival.path or not arrival.direct:
        arrival.path = _clean_event(arrival.path)
    if arrival.title:
        arrival.title = storable(arrival.title)
    if arrival.page:
        arrival.page = _page_of_event(arrival.page) if arrival.event else ""


def _page_of_event(page: str) -> str:
    """The clean path of the page where an event happened; empty for what is no page."""
    path = _clean_path(page) if len(page) <= MAX_UNREAD else ""
    return path if len(path) <= MAX_PATH and not is_ignored(path) else ""


def find_source(rules: CollectionRules, arrival: Arrival) -> None:
    """Clean the referrer, find source and channel, and read the campaign, whose source takes the referrer's place."""
    if arrival.ref_scheme is not None:
        # Referrers cleaned by other programs, which may keep the query of a URL without scheme, and sources of
        # campaigns as they were sent.
        ref = storable(arrival.ref)
        arrival.ref = ref if arrival.ref_scheme == "g" else tidied(ref)
        arrival.ref_scheme = arrival.ref_scheme if arrival.ref else "o"
    else:
        referrer = _clean_referrer(arrival.ref) if arrival.ref else DIRECT
        arrival.ref, arrival.ref_scheme, arrival.ref_host = referrer
    _find_channel(rules, arrival)
    campaign = _campaign_of(arrival.query) if arrival.query else NO_CAMPAIGN
    if campaign.source and not arrival.event:
        arrival.ref, arrival.ref_scheme = campaign.source, "c"
    if campaign.name:
        arrival.campaign = campaign.name
        if arrival.ref:
            arrival.ref_scheme = "c"


def _find_channel(rules: CollectionRules, arrival: Arrival) -> None:
    """Set the parameters of the page's URL, the name of the source and its channel, unless an import knows them."""
    if arrival.sourced:
        return
    parameters = parameters_of(arrival.query)
    arrival.utm_source, arrival.utm_medium = parameters.source, parameters.medium
    arrival.utm_content, arrival.utm_term = parameters.content, parameters.term
    own = (arrival.host, *rules.own_hosts) if arrival.host else rules.own_hosts
    arrival.source, arrival.channel = source_of(arrival.ref, arrival.ref_scheme or "o", own, parameters)


def check(_: CollectionRules, arrival: Arrival) -> InvalidHit | None:
    """Refuse a hit with an invalid length or time, or without a path."""
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
    """Drop requests for icons and other paths that are no pages."""
    return _IGNORED_PATH if not arrival.event and is_ignored(arrival.path) else None


def drop_ignored_page(rules: CollectionRules, arrival: Arrival) -> Dropped | None:
    """Drop hits of pages that the site leaves out, and events that happened there."""
    if rules.ignored_pages is None or not arrival.filtered:
        return None
    return _IGNORED_PAGE if rules.ignored_pages.fullmatch(arrival.page if arrival.event else arrival.path) else None


def drop_ignored_host(rules: CollectionRules, arrival: Arrival) -> Dropped | None:
    """Drop hits of pages at hosts that the site leaves out."""
    if rules.ignored_hosts is None or not arrival.filtered:
        return None
    return _IGNORED_HOST if rules.ignored_hosts.fullmatch(arrival.host) else None


def drop_ignored_campaign(rules: CollectionRules, arrival: Arrival) -> Dropped | None:
    """Drop hits of campaigns that the site leaves out, also where it does not store campaigns."""
    if rules.ignored_campaigns is None or not arrival.filtered:
        return None
    return _IGNORED_CAMPAIGN if rules.ignored_campaigns.fullmatch(arrival.campaign) else None


def gather_page(rules: CollectionRules, arrival: Arrival) -> None:
    """Count a page under another path if a rule says so, and events that happened there as having happened there."""
    if rules.gathered is None:
        return
    if arrival.event:
        arrival.page = (arrival.page and rules.gathered.name_of(arrival.page)) or arrival.page
    elif name := rules.gathered.name_of(arrival.path):
        arrival.path, arrival.title = name, ""  # the title is that of one of many pages


def drop_spam_referrer(rules: CollectionRules, arrival: Arrival) -> Dropped | None:
    """Drop hits with a spam referrer."""
    return _SPAM_REFERRER if arrival.ref_host and rules.spam.knows(arrival.ref_host) else None


def remove_uncollected(rules: CollectionRules, arrival: Arrival) -> None:
    """Remove values that the site does not collect, as far as no earlier step has."""
    arrival.width = min(max(arrival.width, 0), MAX_WIDTH) if rules.collects_widths else 0
    if not rules.collects_referrers:
        arrival.ref, arrival.ref_scheme, arrival.campaign = "", "o", ""
        arrival.utm_source = arrival.utm_medium = arrival.utm_content = arrival.utm_term = ""
        arrival.source = arrival.channel = ""


def limit_props(rules: CollectionRules, arrival: Arrival) -> None:
    """Remove properties that are too many or too long, or all of them if the site does not keep any."""
    props = arrival.props
    if not props:
        return
    if not rules.collects_props:
        arrival.props = NO_PROPS
    elif len(props) > MAX_PROPS or any(is_too_long(name, value) for name, value in props.items()):
        short = [(name, value) for name, value in props.items() if not is_too_long(name, value)]
        arrival.props = dict(short[:MAX_PROPS])
