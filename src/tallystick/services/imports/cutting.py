"""Cuts texts that are too long, so that the hit is imported all the same."""

import re

from tallystick.model.hit import MAX_TITLE
from tallystick.model.referrer import MAX_REFERRER
from tallystick.services.ingest.ingest import Arrival
from tallystick.services.ingest.steps import MAX_AGENT

_address = re.compile("[^?#]*").match


def cut(arrival: Arrival) -> bool:
    """Cut User-Agent, title and referrer to the accepted lengths.

    Returns:
        Whether the title or the stored part of the referrer was cut.
    """
    arrival.agent = arrival.agent[:MAX_AGENT]
    lost = len(arrival.title) > MAX_TITLE or _kept_length(arrival) > MAX_REFERRER
    arrival.title = arrival.title[:MAX_TITLE]
    arrival.ref = arrival.ref[:MAX_REFERRER]
    return lost


def _kept_length(arrival: Arrival) -> int:
    """The length of the referrer as it is stored; one that is not clean yet loses its query."""
    if arrival.ref_scheme is not None or len(arrival.ref) <= MAX_REFERRER:
        return len(arrival.ref)
    address = _address(arrival.ref)
    return address.end() if address else 0
