"""Imports straight into the data directory, where no server runs."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from tallystick.model.hit import is_bot
from tallystick.model.site import Site
from tallystick.services.agents import understood
from tallystick.services.imports.running import Taken
from tallystick.services.ingest import Arrival, Dropped, Ingest, Invalid, Refusal
from tallystick.warehouse import KeptRequest, Warehouse

BOTS = "bots"
"""Kept with their reason, out of every statistic."""


class DirectSink:
    """Hands hits to the ingest itself."""

    most = 5_000

    def __init__(self, ingest: Ingest, warehouse: Warehouse, site: Site) -> None:
        self._ingest, self._warehouse, self._site = ingest, warehouse, site

    async def send(self, key: str, arrivals: Sequence[Arrival]) -> Taken:
        """Store hits; a key that was sent before stores nothing."""
        key = f"data/{self._site.id}/{key}"
        if kept := await self._warehouse.kept_request(key):
            return msgspec.json.decode(kept.answer, type=Taken)

        def keep(refused: Sequence[Refusal | None]) -> KeptRequest:
            answer = msgspec.json.encode(_taken(arrivals, refused)).decode()
            return KeptRequest(key, key, answer, self._warehouse.clock())

        results = await self._ingest.record(self._site, arrivals, keep)
        return _taken(arrivals, [result if isinstance(result, Dropped | Invalid) else None for result in results])


class DrySink:
    """Tells what would become of hits, as far as one can tell without their site."""

    most = DirectSink.most

    async def send(self, _key: str, arrivals: Sequence[Arrival]) -> Taken:
        """Store nothing."""
        bots = sum(is_bot(understood(arrival.agent).bot) for arrival in arrivals if arrival.agent)
        return Taken({}, {BOTS: bots} if bots else {})


def _taken(arrivals: Sequence[Arrival], refused: Sequence[Refusal | None]) -> Taken:
    """What became of hits that have been judged."""
    notes = Counter(str(refusal.reason) for refusal in refused if isinstance(refusal, Dropped))
    bots = sum(refusal is None and is_bot(arrival.bot) for arrival, refusal in zip(arrivals, refused, strict=True))
    return Taken(
        {index: str(refusal).strip() for index, refusal in enumerate(refused) if isinstance(refusal, Invalid)},
        notes + Counter({BOTS: bots}),
    )
