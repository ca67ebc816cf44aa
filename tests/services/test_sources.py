"""The name of a source and its channel, from a referrer and the parameters of a page's URL."""

from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.referrer import clean_referrer
from tallystick.services.ingest import sources
from tallystick.services.ingest.sources import Source, UrlParameters, host_of_url, parameters_of, source_of

HOST = ("example.com",)


def found(referrer: str, query: str = "") -> Source:
    clean = clean_referrer(referrer)
    return source_of(clean.text, clean.scheme, HOST, parameters_of(query))


EXAMPLES = [
    ("", "", "", "Direct"),
    ("https://example.com/page", "", "", "Direct"),
    ("https://www.example.com/page", "", "", "Direct"),
    ("https://www.google.com/", "", "Google", "Organic Search"),
    ("https://www.google.co.uk/search?q=x", "", "Google", "Organic Search"),
    ("android-app://com.google.android.googlequicksearchbox", "", "Google", "Organic Search"),
    ("https://duckduckgo.com/", "", "DuckDuckGo", "Organic Search"),
    ("https://search.brave.com/search?q=a", "", "Brave Search", "Organic Search"),
    ("https://t.co/abc", "", "X", "Organic Social"),
    ("https://m.facebook.com/", "", "Facebook", "Organic Social"),
    ("https://old.reddit.com/r/a/", "", "Reddit", "Organic Social"),
    ("https://news.ycombinator.com/item?id=1", "", "Hacker News", "Organic Social"),
    ("https://www.youtube.com/watch", "", "YouTube", "Organic Video"),
    ("https://chatgpt.com/", "", "ChatGPT", "AI Assistants"),
    ("https://gemini.google.com/app", "", "Gemini", "AI Assistants"),
    ("https://www.amazon.de/", "", "Amazon", "Organic Shopping"),
    ("https://mail.google.com/mail", "", "Email", "Email"),
    ("https://open.spotify.com/show/1", "", "Spotify", "Audio"),
    ("https://blog.example.org/post", "", "blog.example.org", "Referral"),
    ("https://github.com/a/b", "", "GitHub", "Referral"),
    ("https://blog.example.org:8080/post", "", "blog.example.org", "Referral"),
    ("Some app", "", "Some app", "Referral"),
    ("https://www.google.com/", "gclid=abc", "Google", "Paid Search"),
    ("https://www.bing.com/", "utm_medium=cpc", "Bing", "Paid Search"),
    ("", "utm_source=facebook&utm_medium=paid", "Facebook", "Paid Social"),
    ("", "utm_source=youtube&utm_medium=cpv-cpm", "YouTube", "Paid Video"),
    ("", "utm_source=amazon&utm_medium=ppc", "Amazon", "Paid Shopping"),
    ("", "utm_source=x.example&utm_medium=ppc&utm_campaign=Summer+Shopping", "x.example", "Paid Shopping"),
    ("", "utm_source=x.example&utm_medium=ppc&utm_campaign=workshop", "x.example", "Paid Other"),
    ("", "utm_source=partner&utm_medium=banner", "partner", "Display"),
    ("", "utm_source=partner&utm_medium=cpc", "partner", "Paid Other"),
    ("", "utm_source=any&utm_campaign=my-cross-network-one", "any", "Cross-network"),
    ("", "utm_source=Newsletter", "Newsletter", "Email"),
    ("", "utm_source=spring&utm_medium=e-mail", "spring", "Email"),
    ("", "utm_source=partner&utm_medium=affiliate", "partner", "Affiliates"),
    ("", "utm_source=sms", "SMS", "SMS"),
    ("", "utm_source=app&utm_medium=web-push", "app", "Mobile Push Notifications"),
    ("", "utm_source=a&utm_medium=organic", "a", "Organic Search"),
    ("", "utm_source=a&utm_medium=social-media", "a", "Organic Social"),
    ("", "utm_source=a&utm_medium=some-video", "a", "Organic Video"),
    ("", "utm_source=a&utm_medium=podcast", "a", "Audio"),
    ("", "utm_source=shop&utm_campaign=shopping-week", "shop", "Organic Shopping"),
    ("", "source=Partner", "Partner", "Referral"),
    ("", "ref=producthunt", "Product Hunt", "Organic Social"),
    ("https://example.com/a", "utm_source=google", "Google", "Organic Search"),
    ("https://l.facebook.com/", "fbclid=1", "Facebook", "Organic Social"),
]


@pytest.mark.parametrize(("referrer", "query", "name", "channel"), EXAMPLES)
def test_sources_have_a_name_and_a_channel(referrer: str, query: str, name: str, channel: str) -> None:
    assert found(referrer, query) == Source(name, channel)


def test_every_channel_has_an_example() -> None:
    rules = {row[0] for row in sources._lines("channels.txt")}  # noqa: SLF001
    assert {example[3] for example in EXAMPLES} == rules


def test_every_line_of_the_rules_is_complete() -> None:
    kinds = {"search", "social", "video", "shopping", "ai", "email", "audio", "messages", "none"}
    names = list(sources._lines("sources.txt"))  # noqa: SLF001
    assert all(len(line) == 3 and line[1] in kinds and line[2] for line in names)
    assert len({line[0] for line in names}) == len(names)
    patterns = [pattern for line in names for pattern in line[2].split()]
    assert len(patterns) == len(set(patterns))
    assert all(len(line) == 5 for line in sources._lines("channels.txt"))  # noqa: SLF001
    assert files("tallystick.services.ingest").joinpath("sources.txt").read_text("utf-8").startswith("#")


def test_parameters_are_read_once_and_cut() -> None:
    query = "?utm_source=News&utm_medium=email&utm_campaign=May&utm_content=top&utm_term=a+b&utm_medium=other#x"
    assert parameters_of(query) == UrlParameters("News", "email", "May", "top", "a b", paid=False)
    assert parameters_of("source=a&ref=b").source == "a"
    assert parameters_of("utm_source=&ref=b").source == "b"
    assert parameters_of("utm_source=" + "x" * 999).source == "x" * sources.MAX_VALUE
    assert parameters_of("msclkid=1").paid
    assert parameters_of("nothing") == UrlParameters()


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://www.Example.com:8080/a?b", "example.com"),
        ("https://blog.example.com", "blog.example.com"),
        ("https://example.com./", "example.com"),
        ("http://[2001:db8::1]:80/", "2001:db8::1"),
        ("//example.com", "example.com"),
        ("https://bücher.example/", "bücher.example"),
        ("null", ""),
        ("", ""),
        ("about:blank", ""),
        ("https://[::1", ""),
        ("https://a b/", ""),
        ("https://" + "x" * 900 + ".example/", ""),
    ],
)
def test_the_host_of_a_url(url: str, host: str) -> None:
    assert host_of_url(url) == host


@given(st.text(max_size=60), st.sampled_from("hgco"), st.text(max_size=60))
def test_no_text_raises(referrer: str, scheme: str, query: str) -> None:
    name, channel = source_of(referrer, scheme, HOST, parameters_of(f"utm_source={query}&utm_medium={query}"))
    assert channel
    assert len(name) <= max(sources.MAX_VALUE, len(referrer))
    host_of_url(referrer)
