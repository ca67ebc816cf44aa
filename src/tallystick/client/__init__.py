"""Python clients of the three APIs, blocking and async, on httpx. ``docs/python-client.md`` shows them in use."""

from tallystick.client.countapi import AsyncCountApi, CountApi
from tallystick.client.goatcounter import AsyncGoatCounter, GoatCounter

__all__ = ["AsyncCountApi", "AsyncGoatCounter", "CountApi", "GoatCounter"]
