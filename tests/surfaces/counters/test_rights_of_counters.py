"""Who may ask what of our own API of public counters: every route, asked by everyone."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from support.analytics import HOST
from support.asking import Answer
from support.in_process import InProcess, in_process
from support.people import a_person, a_site, a_token
from tallystick.model.account import Permission
from tallystick.surfaces.counters.routes import ROUTES
from tallystick.surfaces.counters.scripts.serving import NAMES as SCRIPTS
from tallystick.web.rate_limit import Rate

UNLIMITED = (Rate("", None, 0),)

ASKERS = ("nobody", "wrong secret", "right secret", "no token", "reading", "writing", "another's", "superuser")
"""``reading`` and ``writing`` are tokens of the account that owns the counter, and whose site has the namespace."""

ANYONE = (200,) * len(ASKERS)
OWNERS = (401, 403, 200, 401, 403, 200, 403, 200)
PROVEN = (401, 403, 403, 401, 403, 200, 403, 200)

ONE = {"counters": [{"namespace": HOST, "key": "visits"}]}
ONE_MORE = {"counters": [{"namespace": HOST, "key": "visits", "amount": 1}]}

ROWS: dict[tuple[str, str], tuple[Any, tuple[int, ...]]] = {
    ("GET", "/api/counters"): (None, (401, 401, 401, 401, 200, 403, 200, 200)),
    ("POST", "/api/counters"): ({"namespace": "elsewhere"}, (201, 201, 201, 401, 403, 201, 201, 201)),
    ("POST", "/api/counters/read"): (ONE, ANYONE),
    ("POST", "/api/counters/add"): (ONE_MORE, (200, 200, 200, 401, 403, 200, 200, 200)),
    ("GET", "/api/counters/export"): (None, (401, 401, 401, 401, 200, 403, 200, 200)),
    ("POST", "/api/counters/import"): ("name,value\n", (401, 401, 401, 401, 403, 200, 200, 200)),
    ("GET", "/api/counters/{namespace}"): (None, ANYONE),
    ("PUT", "/api/counters/{namespace}"): (None, PROVEN),
    ("DELETE", "/api/counters/{namespace}"): (None, tuple(204 if status == 200 else status for status in PROVEN)),
    ("GET", "/api/counters/{namespace}/{key}"): (None, ANYONE),
    ("PATCH", "/api/counters/{namespace}/{key}"): ({"label": "Visits"}, OWNERS),
    ("DELETE", "/api/counters/{namespace}/{key}"): (None, tuple(204 if status == 200 else status for status in OWNERS)),
    ("POST", "/api/counters/{namespace}/{key}/set"): ({"value": 7}, OWNERS),
    ("POST", "/api/counters/{namespace}/{key}/reset"): (None, OWNERS),
    ("POST", "/api/counters/{namespace}/{key}/rename"): ({"key": "renamed"}, OWNERS),
    ("POST", "/api/counters/{namespace}/{key}/claim"): (None, PROVEN),
    ("POST", "/api/counters/{namespace}/{key}/secret"): (None, OWNERS),
    ("GET", "/history/{namespace}/{file}"): (None, ANYONE),
    ("GET", "/badge/{namespace}/{file}"): (None, ANYONE),
    ("GET", "/badge/{file}"): (None, (404,) * len(ASKERS)),
    **{("GET", f"/{name}"): (None, ANYONE) for name in SCRIPTS},
}
"""By route: a body, and the status for each of ``ASKERS``."""


class Rights:
    """A server with an account that owns counters, and everyone else.

    Attributes:
        tokens: by asker.
    """

    def __init__(self, site: InProcess, tokens: dict[str, str]) -> None:
        self.site, self.tokens = site, tokens

    async def ask(self, method: str, path: str, bearer: str | None, body: object = None) -> Answer:
        headers = [] if bearer is None else [("authorization", f"Bearer {bearer}")]
        sent = body.encode() if isinstance(body, str) else None if body is None else json.dumps(body).encode()
        return await self.site.ask(path, method=method, headers=headers, body=sent)

    async def tried(self, method: str, path: str, asker: str) -> Answer:
        """The answer to one row of the matrix, on a counter made for it."""
        body, _ = ROWS[method, path]
        key = f"{method}{path}.{ASKERS.index(asker)}".replace("{", "").replace("}", "").replace("/", ".")
        superuser, bearer = self.tokens["superuser"], self.tokens.get(asker)
        named = path.replace("{namespace}", HOST).replace("{key}", key).replace("{file}", f"{key}.json")
        if path == "/api/counters" and body is not None:
            body = body | {"key": key}
        elif path == "/api/counters/{namespace}":
            reserved = method == "DELETE"
            await self.ask("PUT" if reserved else "DELETE", named, superuser)
        elif path.endswith("/claim"):
            await self.site.ask(f"/hit/{HOST}/{key}")
        elif "{namespace}" in path:
            owner = None if asker.endswith("secret") else self.tokens["writing"]
            made = await self.ask("POST", "/api/counters", owner, {"namespace": HOST, "key": key})
            assert made.status == 201, made.text
            bearer = made.json()["secret"] if asker == "right secret" else bearer
        if isinstance(body, dict) and path.endswith("/rename"):
            body = {"key": f"{key}.renamed"}
        return await self.ask(method, named, bearer, body)


@asynccontextmanager
async def served(data: Path, **settings: Any) -> AsyncIterator[Rights]:
    async with in_process(data, rate_limit=UNLIMITED, **settings) as site:
        ledger = site.application.ledger
        superuser = await a_person(ledger)
        own = await a_site(ledger, superuser, HOST)
        owner = await a_person(ledger, "owner@example.com", own.id, {"all": "a"})
        another = await a_person(ledger, "another@example.com", own.id, {"all": "r"})
        read, write = Permission.COUNTERS_READ, Permission.COUNTERS_WRITE
        yield Rights(
            site,
            {
                "wrong secret": "counter_that-is-not-it",
                "right secret": await _with_secret(site),
                "no token": "what-is-no-token",
                "reading": await a_token(ledger, owner, read),
                "writing": await a_token(ledger, owner, write),
                "another's": await a_token(ledger, another, read | write),
                "superuser": await a_token(ledger, superuser, read | write),
            },
        )


async def _with_secret(site: InProcess) -> str:
    body = json.dumps({"namespace": "elsewhere", "key": "with-a-secret"}).encode()
    secret: str = (await site.ask("/api/counters", method="POST", body=body)).json()["secret"]
    return secret


async def test_every_route_is_asked_by_everyone(tmp_path: Path) -> None:
    assert {(route.method, route.path) for route in ROUTES} == set(ROWS), "each route takes a row"
    async with served(tmp_path) as rights:
        for (method, path), (_, expected) in ROWS.items():
            answers = [await rights.tried(method, path, asker) for asker in ASKERS]
            assert tuple(answer.status for answer in answers) == expected, (method, path)
            for answer in answers:
                if answer.status >= 400:
                    told = answer.json().get("error", {})  # a refused badge is a badge
                    assert path.startswith("/badge") or told
                    assert told.keys() <= {"code", "message", "field"}


async def test_where_anyone_may_join_names_of_sites_prove_nothing(tmp_path: Path) -> None:
    """Anyone could enter a site with the name of somebody else's."""
    async with served(tmp_path, join="anyone") as rights:
        owner, superuser = rights.tokens["writing"], rights.tokens["superuser"]
        await rights.site.ask(f"/hit/{HOST}/visits")
        claim, namespace = f"/api/counters/{HOST}/visits/claim", f"/api/counters/{HOST}"
        for method, path in (("POST", claim), ("PUT", namespace)):
            refused = await rights.ask(method, path, owner)
            assert (refused.status, refused.json()["error"]["code"]) == (403, "no-proof")
            assert (await rights.ask(method, path, superuser)).status == 200
        new = {"namespace": HOST, "key": "another"}
        assert (await rights.ask("POST", "/api/counters", owner, new)).status == 201, (
            "a superuser has reserved it for them"
        )
