"""Translates filters to conditions on columns, and ids in reports to names.

Names of paths and campaigns are in the ledger; functions of ``(session, ...)`` look them up and block.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from tallystick.ledger import Session
from tallystick.model.dimensions import CAMPAIGN, PATH, UNKNOWN, Dimension, ValueKind
from tallystick.model.selection import Condition, Filter
from tallystick.services.analytics.names import campaign_ids, campaigns_of, path_ids, paths_of
from tallystick.warehouse.types import Value

NO_CAMPAIGN = 0
LONGEST_ID = 18


def needs_ledger(filters: Iterable[Filter]) -> bool:
    """Whether a filter has names whose ids are in the ledger."""
    return any(
        filter_.dimension.kind is ValueKind.ID and any(isinstance(value, str) for value in filter_.values)
        for filter_ in filters
    )


def conditions(filters: Iterable[Filter]) -> tuple[Condition, ...]:
    """The filters as conditions, for filters that do not need the ledger."""
    return tuple(Condition(filter_.dimension, _stored_values(filter_.dimension, filter_.values)) for filter_ in filters)


def resolved(session: Session, site: int, filters: Iterable[Filter]) -> tuple[Condition, ...]:
    """The filters as conditions, with names replaced by ids. A name without an id selects nothing."""
    return conditions(_with_ids(session, site, filter_) for filter_ in filters)


def ids_of(session: Session, site: int, dimension: Dimension, values: Iterable[str | int]) -> list[int]:
    """Values of an ID dimension as ids; a name may have none or several."""
    all_values = list(values)
    ids = [value for value in all_values if isinstance(value, int)]
    names = [value for value in all_values if isinstance(value, str)]
    return ids + _NAMES[dimension.name].to_ids(session, site, names) if names else ids


def names_of(session: Session, site: int, dimension: Dimension, ids: Sequence[int]) -> dict[Value, str]:
    """Names of an ID dimension's values; values that are being deleted are missing."""
    return dict(_NAMES[dimension.name].of_ids(session, site, ids).items())


def _stored_values(dimension: Dimension, values: Iterable[str | int]) -> tuple[str | int, ...]:
    """Values as they are stored in columns."""
    spellings = (dimension.spelled(value) if isinstance(value, str) else value for value in values)
    return tuple("" if value == UNKNOWN else value for value in spellings)


def _with_ids(session: Session, site: int, filter_: Filter) -> Filter:
    if filter_.dimension.kind is not ValueKind.ID:
        return filter_
    return Filter(filter_.dimension, tuple(ids_of(session, site, filter_.dimension, filter_.values)))


def _campaign_ids(session: Session, site: int, campaigns: Iterable[str]) -> list[int]:
    """Ids of campaigns, which may also be named by their ids; 0 for hits without one."""
    ids: list[int] = []
    for campaign in campaigns:
        if campaign == UNKNOWN:
            ids.append(NO_CAMPAIGN)
            continue
        by_name = campaign_ids(session, site, [campaign])
        ids += by_name or ([int(campaign)] if _is_id(campaign) else [])
    return ids


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= LONGEST_ID


def _path_names(session: Session, site: int, ids: Iterable[int]) -> dict[int, str]:
    return {id_: path.path for id_, path in paths_of(session, site, ids).items()}


class _IdsAndNames(NamedTuple):
    to_ids: Callable[[Session, int, Sequence[str]], list[int]]
    of_ids: Callable[[Session, int, Sequence[int]], dict[int, str]]


_NAMES: Mapping[str, _IdsAndNames] = {
    PATH.name: _IdsAndNames(path_ids, _path_names),
    CAMPAIGN.name: _IdsAndNames(_campaign_ids, campaigns_of),
}
"""Where the names of ID dimensions are looked up."""
