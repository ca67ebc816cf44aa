"""Limits of the statistics API: requests in an hour, tokens that are not valid, seconds that a question takes."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from support.analytics import Analytics, analytics_in_process
from support.asking import Answer
from tallystick.app import SURFACES
from tallystick.model.account import Permission
from tallystick.web.rate_limit import Rate
from tallystick.web.surface import default_rates

BODY = {"site_id": "stats.example.com", "metrics": ["visitors"], "date_range": "7d"}


async def post(analytics: Analytics, token: str, body: Any = None, client: str = "192.0.2.1") -> Answer:
    return await analytics.ask(
        "/api/v2/query",
        method="POST",
        headers={"authorization": f"Bearer {token}"},
        body=msgspec.json.encode(BODY if body is None else body),
        client=client,
    )


def test_the_usual_limit() -> None:
    assert next(rate[:3] for rate in default_rates(SURFACES) if rate.name == "plausible") == ("plausible", 600, 3_600)


async def test_every_request_with_a_known_key_counts(tmp_path: Path) -> None:
    async with analytics_in_process(tmp_path, rate_limit=(Rate("plausible", 3, 3_600),)) as analytics:
        other = await analytics.new_token(Permission.STATS)
        bodies: list[Any] = [BODY, {"site_id": ""}, BODY | {"metrics": ["x"]}]
        assert [(await post(analytics, analytics.token, body)).status for body in bodies] == [200, 400, 400]
        answer = await post(analytics, analytics.token)
        assert answer.status == 429
        assert 0 < int(answer.headers["retry-after"]) <= 3_600
        assert list(answer.json()) == ["error"]
        listed = await analytics.ask("/api/v1/sites", headers={"authorization": f"Bearer {analytics.token}"})
        assert listed.status == 429
        # A body that is no JSON is refused first; other keys have limits of their own.
        assert (await post(analytics, analytics.token, [])).status == 400
        assert (await post(analytics, other)).status == 200


async def test_unknown_keys_are_limited_by_address(tmp_path: Path) -> None:
    async with analytics_in_process(tmp_path, rate_limit=(Rate("unknown-token", 2, 60),)) as analytics:
        statuses = [(await post(analytics, f"unknown-{number}")).status for number in range(4)]
        assert statuses == [401, 401, 429, 429]
        assert (await post(analytics, "unknown", client="192.0.2.2")).status == 401
        assert (await post(analytics, analytics.token, client="192.0.2.2")).status == 200


async def test_a_question_that_takes_too_long_is_given_up(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analytics.services.questions, "_within", 0.0)
    answer = await post(analytics, analytics.token)
    assert (answer.status, list(answer.json())) == (504, ["error"])
    assert "seconds" in answer.json()["error"]
