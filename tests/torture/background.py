"""What servers carry out later: exports, and the hits of sites that are deleted or whose paths are merged."""

import csv
import gzip
import io
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import psycopg

from support.analytics import HOST
from support.asking import Answer
from tallystick.errors import DatabaseUnreachable, StoreUnavailable, TallystickError
from tallystick.ledger import Session, open_database
from tallystick.ledger.ledger import milliseconds
from tallystick.services.accounts.sites import delete_site
from tallystick.services.analytics.names import every_path
from tallystick.services.analytics.path_changes import merge_paths
from torture.endpoints import Names, Request
from torture.faults import REMEMBERED_S
from torture.mixed import MixedBooks, Send
from torture.stage import SUCCESS

NEXT_DONE_WITHIN_S = 90.0
"""How long nothing of what waits may be done. How much waits follows from how long a fault lasted."""
PAGES = ("/a", "/b", "/c")
PAUSE_S = 1.0

_numbers = count()


class Side(NamedTuple):
    """A site beside the one of the load, whose hits are to be deleted or merged into one path.

    Attributes:
        job: what does so.
        sent, acknowledged: number of hits.
    """

    id: int
    job: int
    deleted: bool
    sent: int
    acknowledged: int


class Queued(NamedTuple):
    """An export that was acknowledged.

    Attributes:
        acknowledged: hits that it must have.
    """

    id: int
    acknowledged: frozenset[str]


class Background:
    """Lets servers delete, merge and export.

    Args:
        send: to any server.
        url: of the database.
        folder: of this process.
    """

    def __init__(self, send: Send, names: Names, books: MixedBooks, url: str, folder: Path) -> None:
        self._send, self._books, self._url, self._folder = send, books, url, folder
        self._bearer = {"authorization": f"Bearer {names.token}", "content-type": "application/json"}
        self._sides: list[Side] = []
        self._exports: list[Queued] = []
        self.deleted_at_most = 0
        """Hits that were sent to sites which are deleted."""

    def run(self, ended: Event) -> None:
        """One site after another, and an export each, until the end."""
        while not ended.is_set():
            self._begin_side()
            self._begin_export()
            ended.wait(PAUSE_S)

    def _api(self, method: str, path: str, body: object = None, host: str = HOST) -> Answer | None:
        request = Request(method, f"/api/v0{path}", body, {**self._bearer, "host": host})
        answer = self._send(request)
        self._books.judge(request, answer)
        return answer if answer is not None and answer.status in SUCCESS else None

    def _begin_side(self) -> None:
        number = next(_numbers)
        host = f"side-{number}.example.com"
        made = self._api("PUT", "/sites", {"cname": host, "code": f"side-{number}"})
        if made is None:
            return
        site, acknowledged = int(made.json()["id"]), 0
        time.sleep(REMEMBERED_S)
        for page in PAGES * 2:
            body = {"no_sessions": True, "hits": [{"path": page}]}
            acknowledged += self._api("POST", "/count", body, host) is not None
        deleted = bool(number % 2)
        if deleted:
            self.deleted_at_most += len(PAGES) * 2
        if not deleted and acknowledged < len(PAGES) * 2:
            return  # a path may be missing
        change = partial(_deleted, site) if deleted else partial(_merged, site)
        job = self._changed(change)
        if job is not None:
            self._sides.append(Side(site, job, deleted, len(PAGES) * 2, acknowledged))

    def _changed(self, change: Callable[[Session], int]) -> int | None:
        """Change the ledger as the command line does; None if the database was away."""
        try:
            with closing(open_database(self._url, self._folder).session(writes=True)) as session, session.transaction():
                return change(session)
        except (StoreUnavailable, DatabaseUnreachable, psycopg.Error):
            return None
        except TallystickError as error:
            self._books.wrong.append(f"a change of a site was refused: {error}")
            return None

    def _begin_export(self) -> None:
        acknowledged = frozenset(self._books.stored)
        if queued := self._api("POST", "/export", {"format": "csv"}):
            self._exports.append(Queued(int(queued.json()["id"]), acknowledged))

    def judge(self, rows: Callable[[int], Mapping[str, int]], *, all_of_it: bool) -> None:
        """What is done is right.

        Args:
            rows: number of hits of a site by page.
            all_of_it: whether to wait until everything is done.
        """
        left: tuple[int, int] | None = None
        deadline = 0.0
        while True:
            waiting = self._waiting()
            self._exports = [export for export in self._exports if not self._is_exported(export)]
            jobs = {side.job for side in self._sides} & set(waiting)
            if not all_of_it or not (self._exports or jobs):
                break
            if left != (left := (len(self._exports), len(jobs))):
                deadline = time.monotonic() + NEXT_DONE_WITHIN_S
            assert time.monotonic() < deadline, f"not done: exports {self._exports}, jobs {waiting} of {self._sides}"
            time.sleep(0.5)
        for side in [side for side in self._sides if side.job not in waiting]:
            self._sides.remove(side)
            found = rows(side.id)
            number = sum(found.values())
            if side.deleted:
                assert not found, f"site {side.id} is deleted, and has {found}"
            else:
                assert len(found) == 1, f"the paths of site {side.id} are merged, and it has {found}"
                assert side.acknowledged <= number <= side.sent, (side, found)

    def _waiting(self) -> Collection[int]:
        with psycopg.connect(self._url, autocommit=True) as connection:
            return [row[0] for row in connection.execute("SELECT id FROM job").fetchall()]

    def _is_exported(self, export: Queued) -> bool:
        """Whether an export is there, and has what it must have."""
        state = self._api("GET", f"/export/{export.id}")
        if state is None or state.json()["finished_at"] is None:
            return False
        file = self._api("GET", f"/export/{export.id}/download")
        assert file is not None, f"export {export.id} is finished and cannot be fetched: {state.json()}"
        pages = Counter(row[0] for row in list(csv.reader(io.StringIO(gzip.decompress(file.body).decode())))[1:])
        assert set(pages) >= export.acknowledged, f"export {export.id} lacks {export.acknowledged - set(pages)}"
        assert set(pages) <= set(self._books.hits), f"export {export.id} has what was not sent"
        assert not pages or max(pages.values()) == 1, f"export {export.id} has {pages.most_common(3)}"
        return True


def _deleted(site: int, session: Session) -> int:
    return delete_site(session, site, milliseconds())


def _merged(site: int, session: Session) -> int:
    ids: Any = [id_ for _, id_ in every_path(session, site, 0, 100)]
    return merge_paths(session, site, ids[1:], ids[0], milliseconds())
