"""What is too long in a file is cut, so that one long text does not cost the visit."""

import re

from tallystick.model.hit import MAX_TITLE
from tallystick.model.referrer import MAX_REFERRER
from tallystick.services.ingest.ingest import Arrival
from tallystick.services.ingest.steps import MAX_AGENT

_address = re.compile("[^?#]*").match


def cut(arrival: Arrival) -> bool:
    """Cut agent, title and referrer at what is accepted. Returns whether a title or referrer lost what is kept."""
    arrival.agent = arrival.agent[:MAX_AGENT]
    lost = len(arrival.title) > MAX_TITLE or _kept_length(arrival) > MAX_REFERRER
    arrival.title = arrival.title[:MAX_TITLE]
    arrival.ref = arrival.ref[:MAX_REFERRER]
    return lost


def _kept_length(arrival: Arrival) -> int:
    """Of a referrer; one that is not clean yet loses its query."""
    if arrival.ref_scheme is not None or len(arrival.ref) <= MAX_REFERRER:
        return len(arrival.ref)
    found = _address(arrival.ref)
    return found.end() if found else 0
