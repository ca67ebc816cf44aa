"""Python clients of the three APIs, blocking and async, on httpx. ``docs/python-client.md`` shows them in use."""

from tallystick.client.countapi import AsyncCountApi, CountApi
from tallystick.client.counttogether import AsyncCountTogether, CountTogether
from tallystick.client.goatcounter import AsyncGoatCounter, GoatCounter

__all__ = ["AsyncCountApi", "AsyncCountTogether", "AsyncGoatCounter", "CountApi", "CountTogether", "GoatCounter"]
