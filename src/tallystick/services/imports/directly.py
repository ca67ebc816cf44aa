"""Imports straight into the data directory, where no server runs."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import cast

import msgspec

from tallystick.model.account import UserSettings
from tallystick.model.hit import is_bot
from tallystick.model.site import Site, SiteSettings
from tallystick.services.imports.running import BOTS, Taken
from tallystick.services.ingest.collection_rules import rules_of
from tallystick.services.ingest.ingest import STEPS, Arrival, Dropped, Ingest, InvalidHit, Knowledge, Refusal
from tallystick.services.ingest.salts import Salts
from tallystick.warehouse import KeptRequest, Warehouse

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
    """Hands hits to the ingest itself.

    Args:
        passed: ``Ledger.passed``, which answers are kept by.
    """

    most = 5_000

    def __init__(self, ingest: Ingest, warehouse: Warehouse, site: Site, passed: Callable[[], int]) -> None:
        self._ingest, self._warehouse, self._site, self._passed = ingest, warehouse, site, passed

    async def send(self, key: str, arrivals: Sequence[Arrival]) -> Taken:
        """Store hits; a key that was sent before stores nothing."""
        key = f"data/{self._site.id}/{key}"
        if kept := await self._warehouse.kept_request(key):
            return msgspec.json.decode(kept.answer, type=Taken)

        def keep(refused: Sequence[Refusal | None]) -> KeptRequest:
            answer = msgspec.json.encode(_taken(arrivals, refused)).decode()
            return KeptRequest(key, key, answer, self._passed() // 1000)

        results = await self._ingest.record(self._site, arrivals, keep)
        return _taken(arrivals, [result if isinstance(result, Dropped | InvalidHit) else None for result in results])


class DrySink:
    """Judges hits as their site would, but for the site's own settings, and stores nothing."""

    most = DirectSink.most

    def __init__(self, knowledge: Knowledge) -> None:
        # Without sessions no salt is needed.
        self._rules = rules_of(_NO_SITE, knowledge.countries, knowledge.spam, cast("Salts", None))

    async def send(self, _key: str, arrivals: Sequence[Arrival]) -> Taken:
        """Store nothing."""
        return _taken(arrivals, [self._judged(arrival) for arrival in arrivals])

    def _judged(self, arrival: Arrival) -> Refusal | None:
        arrival.no_session = True
        return next((refusal for step in STEPS if (refusal := step(self._rules, arrival))), None)


def _taken(arrivals: Sequence[Arrival], refused: Sequence[Refusal | None]) -> Taken:
    """What became of hits that have been judged."""
    notes = Counter(str(refusal.reason) for refusal in refused if isinstance(refusal, Dropped))
    bots = sum(refusal is None and is_bot(arrival.bot) for arrival, refusal in zip(arrivals, refused, strict=True))
    return Taken(
        {index: str(refusal).strip() for index, refusal in enumerate(refused) if isinstance(refusal, InvalidHit)},
        notes + Counter({BOTS: bots}),
    )
