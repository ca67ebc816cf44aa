"""All stored fields of hits, as Parquet; the other formats omit some."""

from pathlib import Path

from tallystick.ledger import Ledger
from tallystick.model.export import Export
from tallystick.services.analytics.names import campaigns_of, paths_of
from tallystick.services.exports.csv_v2 import newest_hit
from tallystick.services.exports.written import WrittenExport
from tallystick.warehouse import Warehouse
from tallystick.warehouse.types import PathName


async def write(ledger: Ledger, warehouse: Warehouse, export: Export, file: Path) -> WrittenExport:
    """Write all present hits of people with ids above ``export.start_id``, by id."""
    site, after = export.site, export.start_id or 0
    through = await warehouse.read(newest_hit, site)
    used = await warehouse.read(lambda session: session.used_names(site, after, through))
    paths = await ledger.read(paths_of, site, used.paths)
    campaigns = await ledger.read(campaigns_of, site, used.campaigns)
    names = [PathName(path.id, path.path, path.title) for path in paths.values()]
    campaign_names = list(campaigns.items())
    await warehouse.read(lambda session: session.write_parquet(site, after, through, names, campaign_names, file))
    return WrittenExport(used.rows, used.last_id)
