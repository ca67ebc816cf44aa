"""Counts on a few counters while hours pass, until it is killed: ``python -m support.hours FOLDER FIRST [URL]``.

Prints a line for each hour in which all was acknowledged: the hour, since 1970, and how often each counter was counted.
"""

import asyncio
import os
import random
import sys
from pathlib import Path

from tallystick.ledger import Ledger, open_database
from tallystick.model.counter import HIT, HOUR_MS
from tallystick.model.key import Key

KEYS = [Key("example.com", f"page-{number}") for number in range(5)]
"""In lanes of their own, for the most part."""


async def count(folder: Path, first: int, url: str | None) -> None:
    """Count in each hour from one on."""
    hour = first
    ledger = await Ledger.open(open_database(url, folder), clock=lambda: hour * HOUR_MS)
    while True:
        times = [random.randint(0, 9) for _ in KEYS]
        keys = [key for key, number in zip(KEYS, times, strict=True) for _ in range(number)]
        random.shuffle(keys)
        await asyncio.gather(*(ledger.count(key, HIT) for key in keys))
        os.write(1, f"{hour} {' '.join(map(str, times))}\n".encode())
        hour += random.choice((1, 1, 1, 30))


if __name__ == "__main__":
    asyncio.run(count(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if sys.argv[3:] else None))
