"""Parts of a browser's hit that repeat from hit to hit: the page, the browser, the sender. Surfaces cache them.

Each part is an ``Arrival`` after those of ``ingest.STEPS`` that read nothing but this part and the site's rules. What
has to be looked at anew for each hit (names, spam, the time, the visitor's hash) is left to ``Ingest.hit_at_once``.
"""

from collections.abc import Iterable

from tallystick.model.hit import WEB_BEGAN
from tallystick.services.ingest import steps
from tallystick.services.ingest.arrival import Arrival
from tallystick.services.ingest.collection_rules import Address, CollectionRules, Step

PAGE_STEPS: tuple[Step, ...] = (
    steps.check_size,
    steps.clean_name,
    steps.find_source,
    steps.check,
    steps.drop_ignored_path,
    steps.remove_uncollected,
)
BROWSER_STEPS: tuple[Step, ...] = (steps.drop_opted_out, steps.check_size, steps.find_language, steps.find_agent)
SENDER_STEPS: tuple[Step, ...] = (steps.drop_ignored_address, steps.find_location)


def page_part(rules: CollectionRules, arrival: Arrival) -> Arrival | None:
    """What a page says of a hit; None if the hit is refused for it. ``bot`` is what it means without a User-Agent."""
    arrival.created = arrival.received = WEB_BEGAN
    arrival.bot = steps.bot_code(None, arrival.bot)
    return _part(PAGE_STEPS, rules, arrival)


def browser_part(rules: CollectionRules, arrival: Arrival) -> Arrival | None:
    """What the headers say of a hit; None if the hit is refused for it."""
    return _part(BROWSER_STEPS, rules, arrival)


def sender_part(rules: CollectionRules, address: Address | None) -> Arrival | None:
    """What the address says of a hit; None if the hit is refused for it."""
    return _part(SENDER_STEPS, rules, Arrival(address=address, direct=True, received=WEB_BEGAN))


def _part(part_steps: Iterable[Step], rules: CollectionRules, arrival: Arrival) -> Arrival | None:
    return None if any(step(rules, arrival) is not None for step in part_steps) else arrival
