"""What a page's query says of campaigns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.campaign import MAX_NAME, Campaign, campaign_of


@pytest.mark.parametrize(
    ("query", "campaign"),
    [
        ("", Campaign("", "")),
        ("?", Campaign("", "")),
        ("?page=2", Campaign("", "")),
        ("?utm_source=x&utm_campaign=y", Campaign("x", "y")),
        ("utm_source=x", Campaign("x", "")),
        ("??utm_source=x", Campaign("x", "")),
        ("?utm_source=x#/about", Campaign("x", "")),
        ("?a=1#utm_source=x", Campaign("", "")),
        ("?utm_source=x%23y", Campaign("x#y", "")),
        ("?utm_source=https%253A%252F%252Fexample.com%252F%253Ftok%253D1", Campaign("example.com", "")),
        ("?ref=a", Campaign("a", "")),
        ("?src=a", Campaign("a", "")),
        ("?source=a", Campaign("a", "")),
        ("?source=d&src=c&ref=b&utm_source=a", Campaign("a", "")),
        ("?utm_source=&ref=b", Campaign("b", "")),
        ("?utm_source=%20&ref=b", Campaign("b", "")),
        ("?utm_source=chatgpt.com/", Campaign("chatgpt.com", "")),
        ("?utm_source=https://chatgpt.com./?token%3D1", Campaign("chatgpt.com", "")),
        ("?utm_source=//host/p%3Ftok%3D1", Campaign("host/p", "")),
        ("?utm_source=/&ref=b/", Campaign("b", "")),
        ("?utm_source=Who+are+you%3F", Campaign("Who are you?", "")),
        ("?utm_campaign=50/50/", Campaign("", "50/50/")),
        ("?utm_campaign=Fr%FChling", Campaign("", "Fr%FChling")),
        ("?campaign=a", Campaign("", "a")),
        ("?campaign=b&utm_campaign=a", Campaign("", "a")),
        ("?ref=1&ref=2", Campaign("1", "")),
        ("?utm_source=The+Paper%21", Campaign("The Paper!", "")),
        ("?utm_medium=m&utm_term=t&utm_content=c", Campaign("", "")),
        ("?utm_source=%00", Campaign("\N{REPLACEMENT CHARACTER}", "")),
        ("?utm_campaign=" + "x" * 5_000, Campaign("", "x" * MAX_NAME)),
    ],
)
def test_a_query(query: str, campaign: Campaign) -> None:
    assert campaign_of(query) == campaign


@given(st.text() | st.text().map(lambda text: f"?utm_source={text}&campaign={text}"))
def test_any_query_is_read(query: str) -> None:
    for text in campaign_of(query):
        assert text == text.strip()
        assert len(text) <= MAX_NAME
        text.encode()
