"""kill -9 at any moment: what each hour of a counter's history says is what was counted in it, no more and no less."""

import random
import subprocess
import sys
from pathlib import Path

from builders import NOW
from support.hours import KEYS
from support.ledgers import opened
from tallystick.ledger import Ledger, Session, open_database
from tallystick.model.counter import HOUR_MS
from tallystick.model.counter_history import sums_of
from tallystick.model.key import Key, lane_of

TESTS = Path(__file__).parents[1]
MOST_AN_HOUR = 9

Hours = dict[int, list[int]]
"""How often each of ``KEYS`` was counted, by hour."""


def killed_after(folder: Path, first: int, url: str | None, hours: int) -> Hours:
    """Count from an hour on, and kill at some moment after so many hours; which ones were acknowledged as a whole."""
    command = [sys.executable, "-m", "support.hours", str(folder), str(first), *([url] if url else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=TESTS) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(hours)]
        process.kill()
        lines += process.stdout.readlines()
    rows = [list(map(int, line.split())) for line in lines if line.endswith("\n")]
    return {hour: times for hour, *times in rows}


def history(session: Session, key: Key) -> tuple[int, dict[int, int]]:
    """The value, and the sum of each hour."""
    counter = session.find([key])[key]
    past = session.common.past_hours(session.connection, lane=lane_of(key), **key._asdict(), since=0)
    return counter.value, dict(sums_of(list(past), counter))


async def check(ledger: Ledger, acknowledged: Hours) -> int:
    """Compare every hour of every counter. Returns the last hour that has something."""
    last = max(acknowledged)
    latest = last
    for number, key in enumerate(KEYS):
        value, sums = await ledger.read(history, key)
        assert sum(sums.values()) == value
        for hour, times in acknowledged.items():
            assert sums.pop(hour, 0) == times[number]
        # What is left was counted in hours that were cut short.
        assert all(added <= MOST_AN_HOUR for added in sums.values())
        latest = max(latest, *sums, last)
    return latest


async def test_hours_are_exact(tmp_path: Path, ledger_url: str | None) -> None:
    acknowledged: Hours = {}
    hour = NOW // HOUR_MS
    for _ in range(4):
        found = killed_after(tmp_path, hour, ledger_url, random.randint(1, 60))
        acknowledged |= found
        async with opened(open_database(ledger_url, tmp_path)) as ledger:
            hour = await check(ledger, acknowledged) + 1
