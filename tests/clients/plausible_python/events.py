"""Tells what its arguments say with ``plausible-events``, and prints what is left to be told at the end as JSON.

Arguments: the address of the API, the domain, headers as JSON, and a JSON list of ``[method, arguments]``.

The client asks a service on the internet for its own address; here that is a made-up one.
"""

import json
import sys
import time
from typing import Any

# Installed by the test, in a folder of their own.
from plausible_events import PlausibleEvents  # type: ignore[import-not-found]

WITHIN_S = 20.0


class Program(PlausibleEvents):  # type: ignore[misc]
    """The client of a program at a known address."""

    def _get_ip(self) -> str:
        return "198.51.100.7"


def main() -> list[str]:
    """What could not be told. The client tries again for ever what is refused."""
    api, domain, headers, calls = sys.argv[1:]
    client = Program(domain, headers=json.loads(headers), api=api, timeout=0.05)
    client.worker.daemon = True
    left: list[Any] = json.loads(calls)
    for method, arguments in left:
        getattr(client, method)(**arguments)
    ends = time.monotonic() + WITHIN_S
    told: list[str] = []
    client._enqueue_task(lambda: told.append("all"))  # noqa: SLF001  # tasks are done in their order
    while not told and time.monotonic() < ends:
        time.sleep(0.01)
    return told


sys.stdout.write(json.dumps(main()))
