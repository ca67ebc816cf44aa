"""Web analytics: every call of GoatCounter's API, and questions.

The types of results are in ``goatcounter_answers``, ``query_answers`` and ``funnel_answers``.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Unpack

from tallystick.client import goatcounter_answers as answers
from tallystick.client import goatcounter_calls as calls
from tallystick.client.blocking import Blocking
from tallystick.client.calls import Call, Flow, Page, Repeat, answered, each, json_as, nothing
from tallystick.client.downloads import FileSink, Progress
from tallystick.client.funnel_calls import FunnelCalls
from tallystick.client.goatcounter_answers import Counted, Export, Format, Hit, Me, PathVisits, Row, Site, Total
from tallystick.client.goatcounter_calls import API, MOST_HITS, OnExportState
from tallystick.client.kept_calls import KeptCalls
from tallystick.client.paths import path_of, path_of_names
from tallystick.client.query_calls import QueryCalls
from tallystick.client.questions import Group, Question, StatsPage, Time, parameters
from tallystick.client.waiting import Waiting


class GoatCounterCalls(QueryCalls, FunnelCalls, KeptCalls):
    """The calls of GoatCounter, questions, and what is kept for a site.

    A server with several sites chooses the site by the host in the client's URL. Questions, goals and the like name it.
    """

    @answered
    def me(self) -> Call[Me]:
        """Get the token's account and permissions."""
        return Call(method="GET", path=f"{API}/me", read=json_as(Me), repeat=Repeat.SAFE)

    @answered
    def count(
        self,
        hits: Iterable[Hit],
        *,
        no_sessions: bool = False,
        filter_addresses: bool = True,
        idempotency_key: str | None = None,
    ) -> Flow[Counted]:
        """Store hits, in batches of 500. Invalid hits are reported in the result, all others are stored.

        Args:
            no_sessions: accept hits without ``session``, ``ip`` and ``user_agent``: each counts as a visit.
            filter_addresses: drop hits from addresses that the site ignores.
            idempotency_key: a key of your own: the same hits sent again with it are not counted again.
        """
        errors: dict[int, str] = {}
        filtered: list[int] = []
        for number, batch in enumerate(calls.batches(hits)):
            key = None if idempotency_key is None else f"{idempotency_key}/{number}"
            body = {"no_sessions": no_sessions, "filter": ["ip"] if filter_addresses else [], "hits": batch}
            counted: Counted = yield calls.count_of(body, key)
            first = number * MOST_HITS
            errors |= {first + place: error for place, error in counted.errors.items()}
            filtered += [first + place for place in counted.filtered]
        return Counted(errors, filtered)

    @answered
    def sites(self) -> Call[list[Site]]:
        """List the site that the host chooses, and its children."""
        return Call(method="GET", path=f"{API}/sites", read=calls.sites_in, repeat=Repeat.SAFE)

    @answered
    def site(self, site: int) -> Call[Site]:
        """Get one of these sites."""
        return Call(method="GET", path=API + path_of_names("sites", site), read=json_as(Site), repeat=Repeat.SAFE)

    @answered
    def create_site(
        self,
        *,
        cname: str | None = None,
        code: str | None = None,
        link_domain: str | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> Call[Site]:
        """Create a site of the same account."""
        members = {"cname": cname, "code": code, "link_domain": link_domain, "setttings": settings}
        body = {name: value for name, value in members.items() if value is not None}
        return Call(method="PUT", path=f"{API}/sites", body=body, read=json_as(Site))

    @answered
    def change_site(
        self,
        site: int,
        *,
        cname: str | None = None,
        link_domain: str | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> Call[Site]:
        """Change a site; settings that are left out stay, and a ``cname`` of ``""`` removes the host."""
        members = {"cname": cname, "link_domain": link_domain, "settings": settings}
        body = {name: value for name, value in members.items() if value is not None}
        return Call(
            method="PATCH", path=API + path_of_names("sites", site), body=body, read=json_as(Site), repeat=Repeat.SAFE
        )

    @each
    def paths(self) -> Call[Page[answers.Path]]:
        """Yield every page and event of the site, by id."""
        return calls.paths_after(after=0)

    @answered
    def total(self, **asked: Unpack[Question]) -> Call[Total]:
        """Get all visits, by day and hour."""
        query = parameters(asked)
        return Call(method="GET", path=f"{API}/stats/total", query=query, read=json_as(Total), repeat=Repeat.SAFE)

    @each
    def hits(self, *, group: Group | None = None, **asked: Unpack[Question]) -> Call[Page[PathVisits]]:
        """Yield every visited path, most visited first.

        Args:
            group: the span whose highest number of visits is ``max``.
        """
        return calls.hits_beyond({**parameters(asked), **({} if group is None else {"group": group})}, seen=())

    @each
    def referrers(self, path_id: int, **asked: Unpack[Question]) -> Call[Page[Row]]:
        """Yield the referrers of a path."""
        return calls.rows_from(path_of_names("hits", path_id), parameters(asked), offset=0)

    @each
    def stats(self, page: StatsPage, **asked: Unpack[Question]) -> Call[Page[Row]]:
        """Yield visits by browser, system, location, language, size, campaign or referrer."""
        return calls.rows_from(path_of_names(page), parameters(asked), offset=0)

    @each
    def details(self, page: StatsPage, row: str, **asked: Unpack[Question]) -> Call[Page[Row]]:
        """Yield the parts of a row of ``stats``, by its id: versions, regions, widths, paths, ..."""
        return calls.rows_from(path_of_names(page) + path_of(row), parameters(asked), offset=0)

    @answered
    def start_export(
        self, form: Format = "csv", *, start_from_hit_id: int | None = None, start_from_day: Time | None = None
    ) -> Call[Export]:
        """Start an export of the site's hits.

        Args:
            form: ``csv``, ``json`` (statistics, as a ZIP) or ``parquet``.
            start_from_hit_id: only hits after this one: the ``last_hit_id`` of an earlier CSV.
            start_from_day: only statistics from this day on.
        """
        members = {"format": form, "start_from_hit_id": start_from_hit_id, "start_from_day": start_from_day}
        body = {name: value for name, value in members.items() if value is not None}
        return Call(method="POST", path=f"{API}/export", body=body, read=json_as(Export))

    @answered
    def export(self, export: int) -> Call[Export]:
        """Get the state of an export."""
        return calls.export_state(export)

    @answered
    def wait_for_export(self, export: int, on_state: OnExportState | None = None) -> Flow[Export]:
        """Wait until an export is written.

        Args:
            on_state: called with the export after each poll.

        Raises:
            ExportFailed
        """
        return calls.finished(export, on_state)

    @answered
    def download_export(self, export: int, to: Path, progress: Progress | None = None) -> Flow[Path]:
        """Wait until an export is written, then save it as a file.

        Args:
            progress: called with the bytes received so far; on the async client, from another thread.

        Raises:
            ExportFailed
        """
        yield from calls.finished(export, None)
        path = API + path_of_names("export", export, "download")
        yield Call(method="GET", path=path, read=nothing, repeat=Repeat.SAFE, sink=FileSink(to, progress))
        return to


class GoatCounter(Blocking, GoatCounterCalls):
    """Web analytics, blocking: ``with GoatCounter("https://stats.example.com", token) as api: api.total()``."""


class AsyncGoatCounter(Waiting, GoatCounterCalls):
    """Web analytics, awaited."""
