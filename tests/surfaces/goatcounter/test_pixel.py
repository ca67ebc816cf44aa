"""The pixel: its bytes, headers and statuses, and what is counted."""

from support.analytics import Analytics


async def test_a_pageview_is_answered_with_the_image_and_counted(analytics: Analytics) -> None:
    answer = await analytics.pixel(p="/a")
    assert (answer.status, len(answer.body)) == (200, 43)
    assert len(await analytics.hits()) == 1
