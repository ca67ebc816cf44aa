"""Imports directly into a data directory that no server uses."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import cast

import msgspec

from tallystick.model.account import UserSettings
from tallystick.model.hit import is_bot
from tallystick.model.site import Site, SiteSettings
from tallystick.services.imports.running import BOTS, BatchResult
from tallystick.services.ingest.collection_rules import rules_of
from tallystick.services.ingest.ingest import AT_ONCE, STEPS, Arrival, Dropped, Ingest, InvalidHit, Knowledge, Refusal
from tallystick.services.ingest.salts import Salts
from tallystick.warehouse import IdempotencyRecord, Warehouse

_NO_SITE = Site(
    id=0,
    parent=None,
    cname=None,
    cname_setup=None,
    code="",
    link_domain="",
    settings=SiteSettings(collect=0),
    user_defaults=UserSettings(),
    received_data=False,
    state="a",
    created=0,
    updated=None,
    first_hit=0,
)


class DirectSink:
    """Records hits through the ingest.

    Args:
        passed: ``Ledger.passed``, by which idempotency records age.
        most: the greatest number of lines in one batch; fewer in a server, which has other things to do meanwhile.
    """

    most = 5_000

    def __init__(
        self, ingest: Ingest, warehouse: Warehouse, site: Site, passed: Callable[[], int], most: int = most
    ) -> None:
        self.most = most
        self._ingest, self._warehouse, self._site, self._passed = ingest, warehouse, site, passed

    async def send(self, key: str, arrivals: Sequence[Arrival]) -> BatchResult:
        """Store a batch of hits; a batch with a key that was used before is not stored again."""
        key = f"data/{self._site.id}/{key}"
        if kept := await self._warehouse.idempotency_record(key):
            return msgspec.json.decode(kept.answer, type=BatchResult)

        def keep(refused: Sequence[Refusal | None]) -> IdempotencyRecord:
            answer = msgspec.json.encode(_batch_result(arrivals, refused)).decode()
            return IdempotencyRecord(key, key, answer, self._passed() // 1000)

        results = await self._ingest.record(self._site, arrivals, keep)
        return _batch_result(
            arrivals, [result if isinstance(result, Dropped | InvalidHit) else None for result in results]
        )


class DrySink:
    """Runs the ingest's steps, and stores nothing.

    Args:
        site: whose settings apply; by default there are none.
        most: the greatest number of lines in one batch.
    """

    def __init__(self, knowledge: Knowledge, site: Site = _NO_SITE, most: int = DirectSink.most) -> None:
        self.most = most
        # No salts are needed without sessions.
        self._rules = rules_of(site, knowledge.countries, knowledge.spam, cast("Salts", None))

    async def send(self, _key: str, arrivals: Sequence[Arrival]) -> BatchResult:
        """Check a batch of hits, and store nothing."""
        refusals: list[Refusal | None] = []
        for first in range(0, len(arrivals), AT_ONCE):
            refusals += map(self._refusal, arrivals[first : first + AT_ONCE])
            await asyncio.sleep(0)  # a server has other things to do meanwhile
        return _batch_result(arrivals, refusals)

    def _refusal(self, arrival: Arrival) -> Refusal | None:
        arrival.no_session = True
        return next((refusal for step in STEPS if (refusal := step(self._rules, arrival))), None)


def _batch_result(arrivals: Sequence[Arrival], refusals: Sequence[Refusal | None]) -> BatchResult:
    notes = Counter(str(refusal.reason) for refusal in refusals if isinstance(refusal, Dropped))
    bots = sum(refusal is None and is_bot(arrival.bot) for arrival, refusal in zip(arrivals, refusals, strict=True))
    return BatchResult(
        {index: str(refusal).strip() for index, refusal in enumerate(refusals) if isinstance(refusal, InvalidHit)},
        notes + Counter({BOTS: bots}),
    )
