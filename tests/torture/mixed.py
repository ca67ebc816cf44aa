"""Load on all surfaces at once, from many visitors, and books of every single thing that was sent, by its name."""

import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Event
from typing import Any, NamedTuple

from support.analytics import CHROME, FIREFOX, HOST
from support.asking import Answer
from torture.endpoints import TOTAL_OF_ALL_TIMES, Names, Request, new_page
from torture.stage import SUCCESS, Books

VISITORS = [f"198.51.100.{number}" for number in range(1, 201)]
"""Addresses, as the balancer tells them. Each has one browser."""
SOURCES = ("", "a.example", "news.example")
SHOP = "/shop"
"""The page of events; a hit there would be none of the load's."""
NAMESPACE = "torture"
"""Of counters that are created under load."""

PAUSE_S = 0.02
TRIED_AGAIN_AFTER_S = 0.2
SENT_AGAIN = 0.3
"""How many of the keyed requests are sent once more after they were acknowledged: their clients lost the answer."""
KEYED = 0.3

Send = Callable[[Request], Answer | None]
"""Sends a request to any server; None where no answer came in time."""

_numbers = count()


class SentHit(NamedTuple):
    """A hit that was sent.

    Attributes:
        visitor: by address; empty for one without a visit.
        source: the host that the visitor came from; empty for none.
    """

    visitor: str
    event: bool = False
    source: str = ""


class MixedBooks(Books):
    """What was sent, and what became of it, each by its name.

    Attributes:
        hits: what was sent, by page, or by the name of an event.
        stored: which of them were acknowledged.
        created: values that a counter may have, by its key; None among them where it may be missing.
        wrong: what was wrong with answers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hits: dict[str, SentHit] = {}
        self.stored: set[str] = set()
        self.created: dict[str, set[int | None]] = {}
        self.wrong: list[str] = []

    def judge(self, request: Request, answer: Answer | None, *others: int) -> None:
        """Note an answer that is neither a success nor 503 with ``Retry-After``, nor one of the other statuses."""
        if answer is None or answer.status in SUCCESS or answer.status in others:
            return
        wait = answer.headers.get("retry-after", "")
        if answer.status != 503 or not wait.isdecimal() or int(wait) < 1:
            self.wrong.append(f"{request.method} {request.target}: {answer.status} {answer.body[:200]!r}")


class Client:
    """Sends one request after another, of all surfaces.

    Args:
        ended: set when it is to stop.
    """

    def __init__(self, send: Send, names: Names, books: MixedBooks, chance: random.Random, ended: Event) -> None:
        self._send, self._names, self._books, self._chance, self._ended = send, names, books, chance, ended
        self._bearer = {"authorization": f"Bearer {names.token}", "content-type": "application/json", "host": HOST}

    def run(self) -> None:
        """Until the end."""
        steps = [*[self.hit] * 5, *[self.public] * 3, *[self.shared] * 3, self.create, self.read]
        while not self._ended.is_set():
            self._chance.choice(steps)()
            time.sleep(PAUSE_S)

    def public(self) -> None:
        """Count a public counter."""
        verb = self._chance.choice(["hit/{key}", "update/{key}?amount=1"])
        self._count("public", Request("GET", f"/{verb.format(key=self._names.key)}"))

    def shared(self) -> None:
        """Count a shared counter."""
        self._count("shared", Request("POST", f"/v1/counters/{self._names.counter}/increment", headers=self._bearer))

    def hit(self) -> None:
        """Tell of a page or an event, in one of the ways there are."""
        page, visitor, source = new_page(), self._chance.choice(VISITORS), self._chance.choice(SOURCES)
        make = self._chance.choice([pixel, pageview, custom_event, api_hit, api_hit_without_visit])
        request, sent = make(page, visitor, source)
        name = request.headers.get("name", page)
        self._books.hits[name] = sent
        by_api = request.target.startswith("/api/v0")
        headers = self._bearer if by_api else {key: text for key, text in request.headers.items() if key != "name"}
        if self._count("hits", request._replace(headers=headers), may_be_keyed=by_api):
            self._books.stored.add(name)

    def create(self) -> None:
        """Create a public counter and set it, until an answer is missing."""
        key = f"counter-{next(_numbers)}"
        values = [self._chance.randrange(1_000) for _ in range(3)]
        set_to = [f"/set/{NAMESPACE}/{key}?value={value}" for value in values[1:]]
        targets = [f"/create?namespace={NAMESPACE}&key={key}&value={values[0]}&enable_reset=1", *set_to]
        before: set[int | None] = {None}
        for target, value in zip(targets, values, strict=True):
            self._books.created[key] = {*before, value}
            request = Request("GET", target)
            answer = self._send(request)
            self._books.judge(request, answer)
            if answer is None or answer.status not in SUCCESS:
                return
            before = {value}
            self._books.created[key] = before
            self._books.acknowledged["created"] += 1

    def read(self) -> None:
        """Ask for all hits: the answer has what was acknowledged before, and nothing that was not sent."""
        asked = self._chance.choice([TOTAL_OF_ALL_TIMES.request(self._names), all_events(self._bearer)])
        acknowledged = len(self._books.stored)
        answer = self._send(asked)
        self._books.judge(asked, answer)
        if answer is None or answer.status not in SUCCESS:
            return
        body = answer.json()
        number = body["total"] if "total" in body else body["results"][0]["metrics"][0]
        if not acknowledged <= number <= len(self._books.hits):
            limits = f"{acknowledged} to {len(self._books.hits)}"
            self._books.wrong.append(f"{asked.target} says {number} hits, and there are {limits}")
        self._books.acknowledged["read"] += 1

    def _count(self, book: str, request: Request, *, may_be_keyed: bool = True) -> bool:
        """Send a request that counts; with a key, again and again until it is acknowledged. Returns whether it was."""
        self._books.note_sent(book)
        if not may_be_keyed or self._chance.random() > KEYED:
            answer = self._send(request)
            self._books.judge(request, answer)
        else:
            keyed = request._replace(headers={**request.headers, "idempotency-key": f"key-{next(_numbers)}"})
            answer = self._once(keyed)
        self._books.note_answer(book, answer)
        return answer is not None and answer.status in SUCCESS

    def _once(self, request: Request) -> Answer | None:
        while True:
            answer = self._send(request)
            self._books.judge(request, answer, 409)
            if answer is not None and answer.status in SUCCESS:
                break
            if self._ended.wait(TRIED_AGAIN_AFTER_S):
                return answer
        if self._chance.random() < SENT_AGAIN:
            again = self._send(request)
            self._books.judge(request, again, 409)
            if again is not None and again.status in SUCCESS and again.body != answer.body:
                self._books.wrong.append(f"{request.target}: {again.body!r} after {answer.body!r}, with one key")
        return answer


def browser_of(visitor: str) -> str:
    """The User-Agent of a visitor, always the same one."""
    return FIREFOX if int(visitor.rpartition(".")[2]) % 2 else CHROME


def _headers(visitor: str) -> dict[str, str]:
    return {"host": HOST, "user-agent": browser_of(visitor), "x-forwarded-for": visitor}


def _referrer(source: str) -> str:
    return f"https://{source}/" if source else ""


def pixel(page: str, visitor: str, source: str) -> tuple[Request, SentHit]:
    """A pageview by GoatCounter's pixel."""
    referrer = f"&r={_referrer(source)}" if source else ""
    return Request("GET", f"/count?p={page}{referrer}", headers=_headers(visitor)), SentHit(visitor, source=source)


def pageview(page: str, visitor: str, source: str) -> tuple[Request, SentHit]:
    """A pageview as Plausible's script tells it."""
    body = {"n": "pageview", "u": page, "d": HOST, "r": _referrer(source)}
    headers = {**_headers(visitor), "content-type": "text/plain"}
    return Request("POST", "/api/event", body, headers), SentHit(visitor, source=source)


def custom_event(page: str, visitor: str, source: str) -> tuple[Request, SentHit]:
    """An event as Plausible's script tells it; its name is in the header ``name``, which is not sent."""
    name = f"Event {page[1:]}"
    body = {"n": name, "u": SHOP, "d": HOST, "r": _referrer(source), "p": {"plan": "pro"}}
    headers = {**_headers(visitor), "content-type": "text/plain", "name": name}
    return Request("POST", "/api/event", body, headers), SentHit(visitor, event=True, source=source)


def api_hit(page: str, visitor: str, source: str) -> tuple[Request, SentHit]:
    """A pageview by GoatCounter's API, with what its program knows of the visitor."""
    hit = {"path": page, "ip": visitor, "user_agent": browser_of(visitor), "ref": _referrer(source)}
    return Request("POST", "/api/v0/count", {"hits": [hit]}), SentHit(visitor, source=source)


def api_hit_without_visit(page: str, _visitor: str, source: str) -> tuple[Request, SentHit]:
    """A pageview by GoatCounter's API, of no visitor."""
    body = {"no_sessions": True, "hits": [{"path": page, "ref": _referrer(source)}]}
    return Request("POST", "/api/v0/count", body), SentHit("", source=source)


def now_and_around() -> list[str]:
    """A period that has every hit of the load, also of a server whose clock is off; the same one all day."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return [(today + timedelta(days=days)).isoformat() for days in (-1, 2)]


def all_events(headers: Mapping[str, str]) -> Request:
    """A question for the number of all hits."""
    body: dict[str, Any] = {"site_id": HOST, "metrics": ["events"], "date_range": now_and_around()}
    return Request("POST", "/api/query", body, headers)
