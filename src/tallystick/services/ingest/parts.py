"""Parts of a browser's hit that repeat from hit to hit: the page, the browser, the sender. Surfaces cache them.

Each part is what those of ``ingest.STEPS`` make of it that read nothing but this part and the site's rules. What has to
be looked at anew for each hit (names, spam, the time, the visitor's hash) is left to ``Ingest.hit_at_once``.
"""

from collections.abc import Iterable
from sys import intern

from msgspec import Struct

from tallystick.model.hit import WEB_BEGAN
from tallystick.model.props import encoded
from tallystick.services.ingest import steps
from tallystick.services.ingest.arrival import Arrival
from tallystick.services.ingest.collection_rules import Address, CollectionRules, Step
from tallystick.services.ingest.salts import agent_bytes, origin_bytes

PAGE_STEPS: tuple[Step, ...] = (
    steps.check_size,
    steps.clean_name,
    steps.find_source,
    steps.check,
    steps.drop_ignored_path,
    steps.drop_ignored_page,
    steps.drop_ignored_host,
    steps.drop_ignored_campaign,
    steps.gather_page,
    steps.remove_uncollected,
    steps.limit_props,
)
BROWSER_STEPS: tuple[Step, ...] = (steps.drop_opted_out, steps.check_size, steps.find_language, steps.find_agent)
SENDER_STEPS: tuple[Step, ...] = (
    steps.drop_ignored_address,
    steps.drop_ignored_country,
    steps.find_location,
)


class PagePart(Struct, frozen=True, gc=False):
    """What a page says of a hit, clean; see ``Arrival``. ``bot`` counts where the User-Agent is a person's.

    Attributes:
        props: as one text.
    """

    path: str
    title: str
    event: bool
    ref: str
    ref_scheme: str
    ref_host: str
    campaign: str
    width: int
    bot: int
    no_session: bool
    utm_source: str
    utm_medium: str
    utm_content: str
    utm_term: str
    host: str
    source: str
    channel: str
    page: str
    props: str


class BrowserPart(Struct, frozen=True, gc=False):
    """What the headers say of a hit.

    Attributes:
        bot: the code that the User-Agent has by itself.
        agent: what goes into the visitor's hash.
    """

    browser: str
    browser_version: str
    system: str
    system_version: str
    device: str
    language: str
    bot: int
    agent: bytes


class SenderPart(Struct, frozen=True, gc=False):
    """What the address says of a hit.

    Attributes:
        origin: what goes into the visitor's hash.
    """

    address: Address | None
    origin: bytes
    country: str
    region: str


def page_part(rules: CollectionRules, arrival: Arrival) -> PagePart | None:
    """What a page says of a hit; None if the hit is refused for it."""
    arrival.created = arrival.received = WEB_BEGAN
    if _is_refused(PAGE_STEPS, rules, arrival):
        return None
    return PagePart(
        path=arrival.path,
        title=arrival.title,
        event=arrival.event,
        ref=arrival.ref,
        ref_scheme=arrival.ref_scheme or "o",
        ref_host=arrival.ref_host,
        campaign=arrival.campaign,
        width=arrival.width,
        bot=steps.bot_code(None, arrival.bot),
        no_session=arrival.no_session,
        utm_source=arrival.utm_source,
        utm_medium=arrival.utm_medium,
        utm_content=arrival.utm_content,
        utm_term=arrival.utm_term,
        host=arrival.host,
        source=arrival.source,
        channel=arrival.channel,
        page=arrival.page,
        props=encoded(arrival.props),
    )


def browser_part(rules: CollectionRules, arrival: Arrival) -> BrowserPart | None:
    """What the headers say of a hit; None if the hit is refused for it."""
    if _is_refused(BROWSER_STEPS, rules, arrival):
        return None
    assert arrival.browser
    assert arrival.system
    return BrowserPart(
        *arrival.browser,
        *arrival.system,
        arrival.device or "",
        arrival.language,
        arrival.bot,
        agent_bytes(arrival.agent),
    )


def sender_part(rules: CollectionRules, address: Address | None) -> SenderPart | None:
    """What the address says of a hit; None if the hit is refused for it."""
    arrival = Arrival(address=address, direct=True, received=WEB_BEGAN)
    if _is_refused(SENDER_STEPS, rules, arrival):
        return None
    return SenderPart(address, origin_bytes(address or ""), intern(arrival.country), intern(arrival.region))


def _is_refused(part_steps: Iterable[Step], rules: CollectionRules, arrival: Arrival) -> bool:
    return any(step(rules, arrival) is not None for step in part_steps)
