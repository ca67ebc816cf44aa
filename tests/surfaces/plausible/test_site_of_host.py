"""``POST /api/query`` without ``site_id``: the Host chooses the site, and the key has to reach it."""

import msgspec

from support.asking import Answer
from tallystick.model.account import Permission
from tallystick.services.accounts.sites import NewSite, create_site

from .conftest import Stats

OTHER = "other.example.com"
DAYS = ["2027-01-13", "2027-01-15"]


async def asked(stats: Stats, path: str = "/api/query", *, host: str = OTHER, token: str | None = None) -> Answer:
    headers = {"host": host, "authorization": f"Bearer {token or stats.analytics.token}"}
    body = msgspec.json.encode({"metrics": ["visitors"], "date_range": DAYS})
    return await stats.analytics.ask(path, method="POST", headers=headers, body=body)


async def test_the_only_site_has_every_host(stats: Stats) -> None:
    answer = (await asked(stats)).json()
    assert answer["results"] == [{"metrics": [4], "dimensions": []}]
    assert answer["query"]["site_id"] == "stats.example.com"


async def test_of_several_sites_the_host_chooses_one(stats: Stats) -> None:
    analytics = stats.analytics
    new = NewSite(cname=OTHER)
    other = await analytics.services.ledger.write(create_site, analytics.prepared.account, new, analytics.clock())
    assert (await asked(stats)).json()["results"] == [{"metrics": [0], "dimensions": []}]
    assert (await asked(stats, host="stats.example.com:8080")).json()["results"][0]["metrics"] == [4]
    nowhere = await asked(stats, host="nowhere.example.com")
    message = "the host of this address has no site that the API key may ask about; name one in site_id"
    assert (nowhere.status, nowhere.json()) == (401, {"error": message})
    limited = await analytics.new_token(Permission.STATS, sites=(other.id,))
    assert (await asked(stats, token=limited)).status == 200
    assert (await asked(stats, host="stats.example.com", token=limited)).json() == nowhere.json()


async def test_a_query_of_plausible_names_its_site(stats: Stats) -> None:
    answer = await asked(stats, "/api/v2/query")
    assert (answer.status, answer.json()["error"]) == (400, "site_id is missing: the domain of the site")
