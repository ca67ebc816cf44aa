"""Python clients of the four APIs, blocking and async, on httpx. ``docs/python-client.md`` shows them in use."""

from tallystick.client.countapi import AsyncCountApi, CountApi
from tallystick.client.counttogether import AsyncCountTogether, CountTogether
from tallystick.client.goatcounter import AsyncGoatCounter, GoatCounter
from tallystick.client.public_counters import AsyncPublicCounters, PublicCounters

__all__ = [
    "AsyncCountApi",
    "AsyncCountTogether",
    "AsyncGoatCounter",
    "AsyncPublicCounters",
    "CountApi",
    "CountTogether",
    "GoatCounter",
    "PublicCounters",
]
