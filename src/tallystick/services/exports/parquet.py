"""Everything that is kept of each hit, as Parquet: nothing is left out, unlike in the other formats."""

from pathlib import Path
from typing import NamedTuple

import msgspec

from tallystick.ledger import Ledger
from tallystick.model.export import Export
from tallystick.services.analytics.names import campaigns_of, paths_of
from tallystick.services.exports.csv_v2 import newest_hit
from tallystick.services.exports.written import WrittenExport
from tallystick.warehouse import Warehouse, WarehouseSession

_encode = msgspec.json.Encoder().encode


class Used(NamedTuple):
    """What hits refer to.

    Attributes:
        last_id: the greatest id of a hit; None without hits.
        paths, campaigns: ids, each once.
    """

    rows: int
    last_id: int | None
    paths: list[int]
    campaigns: list[int]


async def write(ledger: Ledger, warehouse: Warehouse, export: Export, file: Path) -> WrittenExport:
    """Write all people's hits behind ``export.start_id`` that exist now, by id."""
    after = export.start_id or 0
    through = await warehouse.read(newest_hit, export.site)
    used = await warehouse.read(used_names, export.site, after, through)
    paths = await ledger.read(paths_of, export.site, used.paths)
    campaigns = await ledger.read(campaigns_of, export.site, used.campaigns)
    given = {
        "paths": {
            "id": list(paths),
            "path": [path.path for path in paths.values()],
            "title": [path.title for path in paths.values()],
        },
        "campaigns": {"id": list(campaigns), "name": list(campaigns.values())},
    }
    names = {name: _encode(columns).decode() for name, columns in given.items()}
    await warehouse.read(copy, {"site": export.site, "after": after, "through": through, "file": str(file), **names})
    return WrittenExport(used.rows, used.last_id)


def used_names(session: WarehouseSession, site: int, after: int, through: int) -> Used:
    """What a site's hits refer to."""
    return Used(*session.queries.used_names(session.connection, site=site, after=after, through=through))


def copy(session: WarehouseSession, parameters: dict[str, object]) -> None:
    """Have DuckDB write the file."""
    session.queries.export_parquet(session.connection, **parameters)
