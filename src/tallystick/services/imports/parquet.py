"""Reads Tallystick's own Parquet exports, which have all stored fields of each hit."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from tallystick.model.props import decoded
from tallystick.services.exports.statistics import joined
from tallystick.services.ingest.ingest import Arrival
from tallystick.warehouse import parquet_rows
from tallystick.warehouse.types import ParquetHit

_NO_TIME = "created must be a time from 1970 on"


def hits(file: Path, now: Callable[[], int]) -> Iterator[Arrival | str]:
    """All hits, in the order of the export. A text in the place of a hit is the reason of a bad row.

    Args:
        now: Unix seconds.

    Raises:
        InputRefused: the file is not such an export.
    """
    for row in parquet_rows(file):
        yield _arrival(row, row.created, now()) if row.created is not None and row.created >= 0 else _NO_TIME


def _arrival(row: ParquetHit, created: int, now: int) -> Arrival:
    return Arrival(
        path=row.path,
        title=row.title,
        event=row.event,
        session=f"{row.session:x}" if row.session else "",
        no_session=not row.session,
        first=row.first,
        ref=row.ref,
        ref_scheme=row.ref_scheme or None,
        campaign=row.campaign,
        browser=(row.browser, row.browser_version),
        system=(row.system, row.system_version),
        location=joined(row.country, row.region),
        language=row.language,
        width=row.width,
        utm_source=row.utm_source,
        utm_medium=row.utm_medium,
        utm_content=row.utm_content,
        utm_term=row.utm_term,
        host=row.host,
        source=row.source,
        channel=row.channel or "",
        sourced=row.channel is not None,
        page=row.page,
        props=_props(row.props),
        interactive=row.interactive,
        device=row.device,
        created=created,
        filtered=False,
        received=now,
    )


def _props(text: str) -> dict[str, str]:
    """Properties; none of what is no canonical text."""
    try:
        return decoded(text)
    except msgspec.DecodeError:
        return {}
