"""Hits that tests tell a site about, past the pipeline: every column is the test's."""

from datetime import UTC, datetime
from typing import Any

from support.analytics import Analytics
from tallystick.model.hit import Hit, Visitor
from tallystick.services.analytics.names import NewPath


def at(text: str) -> int:
    """Unix seconds of a time in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


async def tell(analytics: Analytics, *told: dict[str, Any]) -> None:
    """Store hits: ``a_visit`` makes them."""
    site, names = analytics.site.id, analytics.services.names
    paths = [NewPath(hit["path"], hit.get("title", ""), not hit["path"].startswith("/"), counted=True) for hit in told]
    paths += [NewPath(page, "", event=False, counted=False) for hit in told if (page := hit.get("page"))]
    await names.learn(site, paths, [hit["campaign"] for hit in told if hit["campaign"]])
    await analytics.services.warehouse.append([_hit(analytics, **hit) for hit in told])


def a_visit(path: str = "/a", when: str = "2020-06-18T10:00", **fields: Any) -> dict[str, Any]:
    """A person's hit; ``by`` is a visitor, without one it has no session, ``page`` is where an event happened."""
    return {"path": path, "when": when, "campaign": None, **fields}


def _hit(  # noqa: PLR0913  # the builder's fields
    analytics: Analytics,
    *,
    path: str,
    when: str,
    campaign: str | None,
    by: int | None = None,
    page: str | None = None,
    title: str = "",  # noqa: ARG001  # of the path
    **fields: Any,
) -> Hit:
    known = analytics.services.names.path(analytics.site.id, path)
    on_page = analytics.services.names.path(analytics.site.id, page) if page else None
    assert known is not None
    return Hit(
        site=analytics.site.id,
        path=known.id,
        page=on_page.id if on_page else None,
        created=at(when),
        event=not path.startswith("/"),
        visitor=None if by is None else Visitor(by, by),
        campaign=analytics.services.names.campaign(analytics.site.id, campaign) if campaign else None,
        **fields,
    )
