"""Web analytics: every call of GoatCounter's API. What it answers is in ``goatcounter_answers``."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Unpack

from tallystick.client import goatcounter_answers as answers
from tallystick.client import goatcounter_calls as calls
from tallystick.client.blocking import Blocking
from tallystick.client.calls import Call, Flow, Page, Repeat, answered, each, json_as, nothing
from tallystick.client.downloads import FileSink, Progress
from tallystick.client.goatcounter_answers import Counted, Export, Format, Hit, Me, PathVisits, Row, Site, Total
from tallystick.client.goatcounter_calls import API, MOST_HITS, ToldOfExport
from tallystick.client.paths import path_of, path_of_names
from tallystick.client.questions import Group, Question, StatsPage, Time, parameters
from tallystick.client.waiting import Waiting


class GoatCounterCalls:
    """A server with several sites chooses one by the host that it is asked at."""

    @answered
    def me(self) -> Call[Me]:
        """Whose token this is, and what it may do."""
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
        """Store hits, 500 at a time; those that are wrong are told, all others are stored.

        Args:
            no_sessions: accept hits that say nothing of their session: each is a visit.
            filter_addresses: leave out hits from addresses that the site ignores.
            idempotency_key: one of your own: the same hits sent again under it are not counted again.
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
        """The site that the host chooses, and its children."""
        return Call(method="GET", path=f"{API}/sites", read=calls.sites_in, repeat=Repeat.SAFE)

    @answered
    def site(self, site: int) -> Call[Site]:
        """One of them."""
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
        """Make a site of the same account."""
        said = {"cname": cname, "code": code, "link_domain": link_domain, "setttings": settings}
        body = {name: value for name, value in said.items() if value is not None}
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
        """Change a site; what is left out stays as it is, and a ``cname`` of ``""`` takes it away."""
        said = {"cname": cname, "link_domain": link_domain, "settings": settings}
        body = {name: value for name, value in said.items() if value is not None}
        return Call(
            method="PATCH", path=API + path_of_names("sites", site), body=body, read=json_as(Site), repeat=Repeat.SAFE
        )

    @each
    def paths(self) -> Call[Page[answers.Path]]:
        """Every page and event of the site, by id."""
        return calls.paths_after(after=0)

    @answered
    def total(self, **asked: Unpack[Question]) -> Call[Total]:
        """All visits, by day and hour."""
        query = parameters(asked)
        return Call(method="GET", path=f"{API}/stats/total", query=query, read=json_as(Total), repeat=Repeat.SAFE)

    @each
    def hits(self, *, group: Group | None = None, **asked: Unpack[Question]) -> Call[Page[PathVisits]]:
        """Every path that was visited, the most visited ones first.

        Args:
            group: what ``max`` is the highest of.
        """
        return calls.hits_beyond({**parameters(asked), **({"group": group} if group else {})}, seen=())

    @each
    def referrers(self, path_id: int, **asked: Unpack[Question]) -> Call[Page[Row]]:
        """Where the visitors of a path came from."""
        return calls.rows_from(path_of_names("hits", path_id), parameters(asked), offset=0)

    @each
    def stats(self, page: StatsPage, **asked: Unpack[Question]) -> Call[Page[Row]]:
        """Visits by browser, system, location, language, size, campaign or referrer."""
        return calls.rows_from(path_of_names(page), parameters(asked), offset=0)

    @each
    def details(self, page: StatsPage, row: str, **asked: Unpack[Question]) -> Call[Page[Row]]:
        """What a row of ``stats`` is made of, by its id: versions, regions, widths, paths, ..."""
        return calls.rows_from(path_of_names(page) + path_of(row), parameters(asked), offset=0)

    @answered
    def start_export(
        self, form: Format = "csv", *, start_from_hit_id: int | None = None, start_from_day: Time | None = None
    ) -> Call[Export]:
        """Begin to write the site's hits into a file.

        Args:
            form: ``csv``, ``json`` (statistics, as a ZIP) or ``parquet``.
            start_from_hit_id: where an earlier CSV ended (its ``last_hit_id``).
            start_from_day: of statistics.
        """
        said = {"format": form, "start_from_hit_id": start_from_hit_id, "start_from_day": start_from_day}
        body = {name: value for name, value in said.items() if value is not None}
        return Call(method="POST", path=f"{API}/export", body=body, read=json_as(Export))

    @answered
    def export(self, export: int) -> Call[Export]:
        """How far an export is."""
        return calls.export_state(export)

    @answered
    def wait_for_export(self, export: int, told: ToldOfExport | None = None) -> Flow[Export]:
        """Wait until an export is written.

        Args:
            told: hears of it each time the server was asked.

        Raises:
            ExportFailed
        """
        return calls.finished(export, told)

    @answered
    def download_export(self, export: int, to: Path, progress: Progress | None = None) -> Flow[Path]:
        """Wait until an export is written, then save it as a file.

        Args:
            progress: hears of bytes that have come; on the async client, from another thread.

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
