"""A site with the hits of three days, and ways to ask about them on the third, at 08:00 UTC."""

from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec
import pytest

from support.analytics import Analytics
from support.asking import Answer
from support.telling import a_visit, tell

HITS = (
    # Ada comes from Google on the 13th, reads three pages and signs up.
    a_visit("/", "2027-01-13T09:00", by=1, country="DE", browser="Firefox", source="Google", channel="Organic Search"),
    a_visit("/pricing", "2027-01-13T09:01", by=1, country="DE", browser="Firefox"),
    a_visit("/blog/one", "2027-01-13T09:05", by=1, country="DE", browser="Firefox"),
    a_visit("Signup", "2027-01-13T09:06", by=1, country="DE", browser="Firefox"),
    # Bob comes directly, late on the 14th, and leaves at once.
    a_visit(
        "/", "2027-01-14T23:30", by=2, country="US", region="CA", browser="Chrome", system="macOS", channel="Direct"
    ),
    # Cem comes from Google and a campaign on the 14th, and reads two pages.
    a_visit(
        "/pricing",
        "2027-01-14T10:00",
        by=3,
        country="US",
        system="Linux",
        host="example.com",
        source="Google",
        channel="Organic Search",
        campaign="spring",
        utm_source="google",
        utm_medium="cpc",
    ),
    a_visit("/", "2027-01-14T10:10", by=3, country="US", system="Linux", host="shop.example.com"),
    # Dan comes from Hacker News today, three minutes ago.
    a_visit(
        "/blog/two",
        "2027-01-15T07:57",
        by=4,
        width=400,
        source="Hacker News",
        channel="Social",
        ref="news.ycombinator.com",
        ref_scheme="g",
    ),
)


class Stats(NamedTuple):
    """Asks the statistics API of the site."""

    analytics: Analytics

    async def post(self, path: str = "/api/v2/query", *, token: str | None = "", **body: Any) -> Answer:
        """Send a query with the key that may do everything, another one, or None."""
        secret = self.analytics.token if token == "" else token
        headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
        return await self.analytics.ask(path, method="POST", headers=headers, body=msgspec.json.encode(body))

    async def query(self, path: str = "/api/v2/query", **body: Any) -> Any:
        """The answer to a query about the three days, unless the body says otherwise."""
        usual = {"site_id": "stats.example.com", "metrics": ["visitors"], "date_range": ["2027-01-13", "2027-01-15"]}
        answer = await self.post(path, **(usual | body))
        assert answer.status == 200, answer.text
        return answer.json()

    async def rows(self, path: str = "/api/v2/query", **body: Any) -> list[tuple[Any, ...]]:
        """Rows of a query: values, then figures."""
        found = await self.query(path, **body)
        return [(*row["dimensions"], *row["metrics"]) for row in found["results"]]

    async def refusal(self, path: str = "/api/v2/query", **body: Any) -> tuple[int, str]:
        """Status and message of a query that is refused; None removes a key."""
        usual = {"site_id": "stats.example.com", "metrics": ["visitors"], "date_range": "7d"}
        sent = {key: value for key, value in (usual | body).items() if value is not None}
        answer = await self.post(path, **sent)
        found = answer.json()
        assert list(found) == ["error"]
        return answer.status, found["error"]

    async def get(self, path: str, *, token: str | None = "", **query: Any) -> Answer:
        """Ask one of the older addresses."""
        secret = self.analytics.token if token == "" else token
        headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
        return await self.analytics.ask(f"{path}?{urlencode(query)}", headers=headers)


@pytest.fixture
async def stats(analytics: Analytics) -> Stats:
    await tell(analytics, *HITS)
    return Stats(analytics)
