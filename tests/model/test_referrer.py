"""Where visitors come from is told in one way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.referrer import clean_referrer, tidied


@pytest.mark.parametrize(
    ("sent", "text", "scheme"),
    [
        ("", "", "o"),
        ("   ", "", "o"),
        ("Newsletter of May", "Newsletter of May", "o"),
        ("Newsletter/", "Newsletter", "o"),
        ("Why us? Part 2", "Why us? Part 2", "o"),
        ("Spring sale?fbclid=abc", "Spring sale", "o"),
        ("example.com/a?b", "example.com/a", "o"),
        ("example.com/a?b#c", "example.com/a#c", "o"),
        ("Example.com./a/", "Example.com/a", "o"),
        ("example.com:443", "example.com", "o"),
        ("example.com:80/", "example.com", "o"),
        ("example.com:8080/", "example.com:8080", "o"),
        ("anna:secret@example.com/a?b=c", "example.com/a", "o"),
        ("e.g.", "e.g.", "o"),
        ("St. Mary.", "St. Mary.", "o"),
        ("/?fbclid=abc", "", "o"),
        ("?fbclid=abc", "", "o"),
        ("/a?token=1", "/a", "o"),
        ("/a/?token=1", "/a", "o"),
        ("a?token=1 2", "a", "o"),
        ("//host/p?tok=1", "host/p", "h"),
        ("//example.com:443/a/?b#c", "example.com/a/#c", "h"),
        ("https://example.com/#/", "example.com", "h"),
        ("C#", "C#", "o"),
        ("example.com/#", "example.com", "o"),
        ("example.com/#/", "example.com", "o"),
        ("https://example.com/#/a?tok=1", "example.com/#/a", "h"),
        ("example.com/#/a?tok=1", "example.com/#/a", "o"),
        ("https://example.com/a#access_token=abc&state=1", "example.com/a", "h"),
        ("example.com/a?b#id_token=abc", "example.com/a", "o"),
        ("/a#token=1", "/a", "o"),
        ("Issue #3", "Issue #3", "o"),
        ("https%3A%2F%2Fexample.com%2Fa%3Ftok%3D1", "example.com/a", "h"),
        ("https%253A%252F%252Fexample.com%252Fa%253Ftok%253D1", "example.com/a", "h"),
        ("https%3A//example.com/a?tok=1", "example.com/a", "h"),
        ("android-app%3a%2f%2fcom.slack%2f", "Slack Chat", "g"),
        ("https%3A%2F%2Fexample.com%2F%00", "example.com/\N{REPLACEMENT CHARACTER}", "h"),
        ("100%25%3A%2F%2F", "100%25%3A%2F%2F", "o"),
        ("//m.facebook.com/x?fbclid=1", "www.facebook.com/x", "h"),
        ("//www.google.com/search?q=x", "Google", "g"),
        ("//anna:secret@example.com/", "example.com", "h"),
        ("https:example.com/a?tok=1", "https:example.com/a", "o"),
        ("http:/example.com/a?tok=1", "http:/example.com/a", "o"),
        ("\\\\host\\p?tok=1", "\\\\host\\p", "o"),
        ("https://[broken/a?tok=1", "[broken/a", "o"),
        ("mailto:someone", "mailto:someone", "o"),
        ("https://", "", "o"),
        ("https://?a=b", "", "o"),
        ("https://example.com", "example.com", "h"),
        ("http://example.com/", "example.com", "h"),
        ("HTTPS://EXAMPLE.com/A/", "example.com/A", "h"),
        ("https://example.com:8080/a", "example.com:8080/a", "h"),
        ("https://[2001:db8::1]:81/a", "[2001:db8::1]:81/a", "h"),
        ("https://user:secret@example.com/a", "example.com/a", "h"),
        ("https://example.com/a?b=c", "example.com/a", "h"),
        ("https://example.com/a?b=c#d", "example.com/a#d", "h"),
        ("https://example.com/a/?b=c", "example.com/a", "h"),
        ("https://example.com/a\N{NO-BREAK SPACE}/?b", "example.com/a", "h"),
        ("https://example.com:port/", "example.com:port", "o"),
        ("https://[broken/a", "[broken/a", "o"),
        ("https://example.com./a", "example.com/a", "h"),
        ("https://example.com:443/", "example.com", "h"),
        ("http://example.com:80/", "example.com", "h"),
        ("http://example.com:443/", "example.com", "h"),
        ("https://example.com.:443/", "example.com", "h"),
        ("https://www.google.com./", "Google", "g"),
        ("https://news.ycombinator.com:443/", "Hacker News", "g"),
        ("https:///a?b=c", "/a", "h"),
        ("https:////a", "/a", "h"),
        ("android-app://com.example.reader/https/example.com", "com.example.reader/https/example.com", "o"),
        ("ftp://example.com/a?b=c", "example.com/a", "o"),
        ("file:///home/a.html?b=c", "/home/a.html", "o"),
        ("chrome-extension://abcdef/page.html?b=c", "abcdef/page.html", "o"),
        ("moz-extension://0a1b/x?b", "0a1b/x", "o"),
        ("https://en.m.wikipedia.org/wiki/A", "en.wikipedia.org/wiki/A", "h"),
        ("https://m.facebook.com/x", "www.facebook.com/x", "h"),
        ("https://m.habr.com/x", "habr.com/x", "h"),
        ("https://old.reddit.com/r/x", "www.reddit.com/r/x", "h"),
        ("https://i.reddit.com/r/x", "www.reddit.com/r/x", "h"),
        ("https://np.reddit.com/r/x/.compact", "www.reddit.com/r/x", "h"),
        ("https://fr.reddit.com/r/x/top/", "www.reddit.com/r/x", "h"),
        ("https://www.reddit.com/r/x/new", "www.reddit.com/r/x", "h"),
        ("https://www.reddit.com/search?q=x", "www.reddit.com", "h"),
        ("https://www.reddit.com/r/newest", "www.reddit.com/r/newest", "h"),
        ("https://www.google.com/search", "Google", "g"),
        ("https://google.co.nz", "Google", "g"),
        ("https://notgoogle.com/", "notgoogle.com", "h"),
        ("https://docs.google.com/x", "docs.google.com/x", "h"),
        ("android-app://com.google.android.googlequicksearchbox/https/www.google.com", "Google", "g"),
        ("https://yandex.ru/clck", "Yandex", "g"),
        ("https://www.yandex.com.tr", "Yandex", "g"),
        ("https://r.search.yahoo.com/x", "Yahoo", "g"),
        ("https://news.ycombinator.com/item?id=1", "Hacker News", "g"),
        ("https://hn.algolia.com/", "Hacker News", "g"),
        ("https://hckrnews.com", "Hacker News", "g"),
        ("https://www.daemonology.net/hn-daily/2020.html", "Hacker News", "g"),
        ("https://www.daemonology.net/blog", "www.daemonology.net/blog", "h"),
        ("android-app://io.github.hidroh.materialistic/", "Hacker News", "g"),
        ("https://mail.google.com/mail", "Email", "g"),
        ("android-app://com.google.android.gm", "Email", "g"),
        ("https://mail.yahoo.com", "Email", "g"),
        ("https://feedly.com/i", "RSS", "g"),
        ("https://usepanda.com/", "RSS", "g"),
        ("https://www.inoreader.com/x", "RSS", "g"),
        ("android-app://org.fox.ttrss", "RSS", "g"),
        ("android-app://com.laurencedawson.reddit_sync.pro", "www.reddit.com", "g"),
        ("https://l.facebook.com/l.php?u=x", "www.facebook.com", "g"),
        ("https://lm.facebook.com/l.php", "www.facebook.com", "g"),
        ("android-app://org.telegram.messenger", "Telegram Messenger", "g"),
        ("android-app://com.slack/", "Slack Chat", "g"),
        ("https://www.baidu.com/link", "Baidu", "g"),
        ("https://c.tieba.baidu.com/", "Baidu", "g"),
        ("https://link.oreilly.com/a/b", "link.oreilly.com", "h"),
        ("https://lobste.rs/s/abc/title", "lobste.rs/s/abc/title", "h"),
        ("https://lobste.rs/newest/page/2", "lobste.rs", "h"),
        ("https://gambe.ro/x", "lobste.rs", "h"),
        ("https://app.getpocket.com/read/1", "getpocket.com", "h"),
        ("https://t.co/x", "twitter.com/search?q=https%3A%2F%2Ft.co%2Fx", "h"),
        ("https://t.co/", "t.co", "h"),
        ("a\0b", "a\N{REPLACEMENT CHARACTER}b", "o"),
        ("https://a.example/\ud800", "a.example/\N{REPLACEMENT CHARACTER}", "h"),
    ],
)
def test_a_referrer(sent: str, text: str, scheme: str) -> None:
    referrer = clean_referrer(sent)
    assert (referrer.text, referrer.scheme) == (text, scheme)


@pytest.mark.parametrize(
    ("sent", "host"),
    [
        ("https://Spam.example:81/x", "spam.example"),
        ("https://www.google.com", "www.google.com"),
        ("https://spam.example.:443/", "spam.example"),
        ("//spam.example/", "spam.example"),
        ("spam.example", ""),
    ],
)
def test_the_host_is_known_beside_what_is_kept(sent: str, host: str) -> None:
    assert clean_referrer(sent).host == host


ADDRESSES = [
    *("https://a.example", "//a.example", "a.example", "a.example.:443", "localhost", "/a", "", "a", "a b"),
    *("android-app://com.example", "file:///a", "ftp://a", "https:a", "https://[broken", "mailto:a@b.example", "a:b"),
    *("anna@a.example", "about:blank", "utm", "chrome-extension://x", "https://a.example:99999", "HTTPS://A.EXAMPLE."),
]

_pieces = st.sampled_from(
    [
        "https://",
        "http://",
        "x",
        "/",
        "?",
        "#",
        " ",
        ":",
        "@",
        "[",
        "]",
        "www.reddit.com",
        ".compact",
        "/top",
        "t.co/",
        "google.",
        "a.example",
        ".",
        ":443",
    ]
)
any_referrer = st.lists(_pieces | st.text(max_size=4), max_size=10).map("".join) | st.text()


@given(any_referrer)
def test_cleaning_takes_any_text_and_is_done_once(sent: str) -> None:
    referrer = clean_referrer(sent)
    assert clean_referrer(referrer.text).text == referrer.text
    assert referrer.text == referrer.text.strip()
    referrer.text.encode()


@given(any_referrer)
def test_tidying_takes_any_text_and_is_done_once(sent: str) -> None:
    assert tidied(tidied(sent)) == tidied(sent)


@given(st.from_regex(r"[a-z]{1,5}=[A-Za-z0-9]{1,9}", fullmatch=True), st.sampled_from(ADDRESSES))
def test_no_query_is_kept(query: str, address: str) -> None:
    for sent in (f"{address}?{query}", f"{address}/?{query}", f"{address}/a?x=1&{query}#b"):
        assert query not in clean_referrer(sent).text
        assert query not in tidied(sent)


@given(any_referrer)
def test_a_url_that_is_clean_is_cleaned_to_itself(sent: str) -> None:
    referrer = clean_referrer("https://" + sent)
    if referrer.scheme == "h" and "?" not in referrer.text:
        assert clean_referrer("https://" + referrer.text).text == referrer.text
