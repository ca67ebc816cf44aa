"""Imports straight into the data directory, where no server runs."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from tallystick.model.site import Site
from tallystick.services.imports.running import Taken
from tallystick.services.ingest import Arrival, Dropped, Ingest, Invalid, Refusal
from tallystick.warehouse import KeptRequest, Warehouse


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
            return KeptRequest(key, key, msgspec.json.encode(_taken(refused)).decode(), self._warehouse.clock())

        results = await self._ingest.record(self._site, arrivals, keep)
        return _taken([result if isinstance(result, Dropped | Invalid) else None for result in results])


def _taken(refused: Sequence[Refusal | None]) -> Taken:
    return Taken(
        {index: str(refusal).strip() for index, refusal in enumerate(refused) if isinstance(refusal, Invalid)},
        Counter(str(refusal.reason) for refusal in refused if isinstance(refusal, Dropped)),
    )
