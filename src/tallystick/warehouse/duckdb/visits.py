"""What a visit is, as SQL over hits: for the table ``visit``, and for the part of a visit that lies in a period."""

OF_FIRST_HIT = (
    "source",
    "channel",
    "ref",
    "ref_scheme",
    "utm_source",
    "utm_medium",
    "utm_content",
    "utm_term",
    "campaign",
    "browser",
    "browser_version",
    "system",
    "system_version",
    "country",
    "region",
    "language",
    "width",
)
"""Columns of a visit that have the values of its first hit, by time and id."""

OF_PAGEVIEWS = ("entry_page", "exit_page", "entry_host", "exit_host")
"""Columns of a visit that have values of its first and its last pageview."""

COLUMNS = ("site", "session", "started", "ended", "pageviews", "events", "firsts", *OF_PAGEVIEWS, *OF_FIRST_HIT)
"""All columns of ``visit``, in their order."""

SOURCE = (
    "CASE WHEN channel <> '' OR ref = '' THEN source"
    " WHEN ref_scheme = 'h' THEN regexp_extract(ref, '^(?:www[.])?([^/:?#]*)', 1) ELSE ref END"
)
"""The source of a hit. Hits of older versions have neither source nor channel: theirs follows from the referrer."""


def hit_columns() -> str:
    """The columns of ``hit`` that visits are made of."""
    return ", ".join(["id", "site", "session", "first", "event", "path", "host", "created", *_sources()])


def visits_of(hits: str) -> str:
    """The SELECT of one row for each visit.

    Args:
        hits: a relation with the columns of ``hit_columns``: people's hits with a session.
    """
    opened = ", ".join(f"'{name}': {name}" for name in OF_FIRST_HIT)
    page = "{'path': path, 'host': host}"
    groups = (
        "SELECT site, session, min(created) AS started, max(created) AS ended,"  # noqa: S608  # constants
        " CAST(count(*) FILTER (NOT event) AS UINTEGER) AS pageviews,"
        " CAST(count(*) FILTER (event) AS UINTEGER) AS events, CAST(count(*) FILTER (first) AS UINTEGER) AS firsts,"
        f" arg_min({page}, (created, id)) FILTER (NOT event) AS entered,"
        f" arg_max({page}, (created, id)) FILTER (NOT event) AS left_at,"
        f" arg_min({{{opened}}}, (created, id)) AS opened FROM {hits} GROUP BY site, session"
    )
    return (
        "SELECT site, session, started, ended, pageviews, events, firsts,"  # noqa: S608  # constants
        " entered.path AS entry_page, left_at.path AS exit_page,"
        " coalesce(entered.host, '') AS entry_host, coalesce(left_at.host, '') AS exit_host,"
        f" {', '.join(f'opened.{name} AS {name}' for name in OF_FIRST_HIT)} FROM ({groups})"
    )


def _sources() -> list[str]:
    return [f"{SOURCE} AS source" if name == "source" else name for name in OF_FIRST_HIT]
