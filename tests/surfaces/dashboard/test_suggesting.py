"""Values that are offered while a filter is being typed."""

import json
from collections.abc import AsyncIterator, Sequence
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest

from support.analytics import CHROME, Analytics, analytics_in_process
from tallystick.model.goal import Goal
from tallystick.model.segment import Segment
from tallystick.model.shared_link import SharedLink
from tallystick.services.analytics.kept.goals import create_goal
from tallystick.services.analytics.kept.segments import create_segment
from tallystick.services.analytics.kept.shared_links import create_shared_link
from tallystick.surfaces.dashboard.analytics.suggesting import MOST_VALUES


@pytest.fixture
async def analytics(tmp_path: Path) -> AsyncIterator[Analytics]:
    async with analytics_in_process(tmp_path) as running:
        await running.change_site(public="public")
        for path in ("/blog/One", "/blog/two", "/a,b"):
            assert (await running.pixel(p=path, r="https://example.org/")).status == 200
        assert (await running.pixel(p="/about", headers={"user-agent": CHROME}, client="192.0.2.2")).status == 200
        yield running


async def offered(analytics: Analytics, query: str, base: str = "/sites/1", status: int = 200) -> Sequence[str]:
    answer = await analytics.ask(f"{base}/values.json?period=today&{query}")
    assert answer.status == status, answer.text
    return [each["value"] for each in answer.json().get("values", ())]


async def test_the_site_has_what_is_offered(analytics: Analytics) -> None:
    assert sorted(await offered(analytics, "of=page")) == ["/a\\,b", "/about", "/blog/One", "/blog/two"]
    assert await offered(analytics, "of=page&find=ONE") == ["/blog/One"]
    assert await offered(analytics, "of=browser&find=fire") == ["Firefox"]
    assert await offered(analytics, "of=device&find=compu") == ["Desktop"]
    assert await offered(analytics, "of=page&period=yesterday") == []
    # Other filters hold, the one that is being changed does not.
    assert await offered(analytics, "of=page&browser=Chrome") == ["/about"]
    assert sorted(await offered(analytics, "of=browser&browser=Chrome&at=0")) == ["Chrome", "Firefox"]


async def test_goals_and_segments_are_offered_by_name(analytics: Analytics) -> None:
    ledger = analytics.services.ledger
    await ledger.write(create_goal, Goal(site=1, name="Buys, or asks", page="/about"), ledger.clock())
    await ledger.write(create_segment, Segment(site=1, name="Mine", filters=[["is", "event:page", ["/a"]]]), 1)
    assert await offered(analytics, "of=goal&find=buy") == ["Buys\\, or asks"]
    assert await offered(analytics, "of=segment") == []  # guests never see their names


async def test_names_of_properties_are_offered_those_of_the_most_hits_first(analytics: Analytics) -> None:
    for props in ({"plan": "pro"}, {"plan": 'a":"b', 'é"\\,': "x"}, {"seats": "3", "plan": '{"not":"this"}'}):
        await analytics.pixel(p="/buy", props=json.dumps(props))
    await analytics.pixel(p="/buy", props='{"of bots": "x"}', headers={"user-agent": "Googlebot"})
    assert await offered(analytics, "of=prop") == ["plan", "seats", 'é"\\,']
    assert await offered(analytics, "of=prop&find=SEA") == ["seats"]
    assert await offered(analytics, "of=prop&period=yesterday") == []


async def test_steps_of_funnels_are_goals_events_and_pages(analytics: Analytics) -> None:
    ledger = analytics.services.ledger
    await ledger.write(create_goal, Goal(site=1, name="Blog, read", page="/blog/*"), ledger.clock())
    await analytics.pixel(p="blog-signup", e="true")
    assert await offered(analytics, "of=step&find=blog") == ["goal:Blog, read", "blog-signup", "/blog/One", "/blog/two"]
    assert "pageview" not in await offered(analytics, "of=step")


async def test_no_more_than_a_few(analytics: Analytics) -> None:
    for number in range(MOST_VALUES + 2):
        await analytics.pixel(p=f"/many/{number}")
    assert len(await offered(analytics, "of=page&find=many")) == MOST_VALUES


async def test_what_cannot_be_offered_is_refused(analytics: Analytics) -> None:
    for query in (
        "",
        "of=nothing",
        "of=prop:",
        "of=page&segment=~x",
        f"of=page&find={'x' * 3_000}",
        "of=page&period=x",
    ):
        await offered(analytics, query, status=400)
    hostile = quote("\"><script>alert(1)</script>%_'\\,")
    assert await offered(analytics, f"of=page&find={hostile}&at=99") == []


async def test_a_link_offers_only_what_it_shows(analytics: Analytics) -> None:
    ledger = analytics.services.ledger
    link = SharedLink(
        site=1, name="A part", filters=[["contains", "event:page", ["/blog"]]], panels=("pages", "sources")
    )
    _, secret = await ledger.write(create_shared_link, link, ledger.clock())
    base = f"/share/{secret}"
    assert sorted(await offered(analytics, "of=page", base)) == ["/blog/One", "/blog/two"]
    assert await offered(analytics, "of=page&find=about", base) == []
    for name in ("browser", "previous+page", "prop:plan", "prop", "step", "goal"):
        await offered(analytics, f"of={name}", base, status=400)


async def test_a_form_without_a_value_is_shown_again_with_what_can_be_chosen(analytics: Analytics) -> None:
    answer = await analytics.ask("/sites/1?period=today&add=browser&value=", headers={"accept": "text/html"})
    assert answer.status == 400
    assert '<option value="Firefox">Firefox</option>' in unescape(answer.text)
    assert "/about" not in answer.text
    for query in ("add=nothing&value=", "add=prop:&value=", "add=browser&value=&period=x"):
        answer = await analytics.ask(f"/sites/1?{query}", headers={"accept": "text/html"})
        assert (answer.status, "<datalist" in answer.text) == (400, False), query
