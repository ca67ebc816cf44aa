"""One page is one path, however it was asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.path import clean_event, clean_path, is_ignored, spellings

ARCHIVE = "/web/20200102030405/"
OFFLINE = "/storage/emulated/0/Android/data/jonas.tool.saveForOffline/files/copy-1/"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("/", "/"),
        ("/a", "/a"),
        ("a", "/a"),
        ("//a//", "/a"),
        ("  /a \n", "/a"),
        ("/ a /", "/ a"),
        ("", ""),
        ("  ", ""),
        ("///", "/"),
        ("/Ärger", "/Ärger"),
        ("/A/b", "/A/b"),
        ("/a?", "/a"),
        ("/a/?", "/a"),
        ("/a?&&", "/a"),
        ("/?", "/"),
        ("/a?b=1", "/a?b=1"),
        ("/a/?b=1", "/a/?b=1"),
        ("/a?b", "/a?b="),
        ("/a?c=2&b=1", "/a?b=1&c=2"),
        ("/a?b=2&b=1", "/a?b=2&b=1"),
        ("/a?b=x y", "/a?b=x+y"),
        ("/a?b=%2F", "/a?b=%2F"),
        ("/a?b=/x", "/a?b=%2Fx"),
        ("/a?b=/", "/a?b="),
        ("/a?b=%zz", "/a?b=%25zz"),
        ("/a?b=c#d", "/a?b=c#d"),
        ("/a#b", "/a#b"),
        ("/?fbclid=abc#/about", "/#/about"),
        ("/app?lang=en#/users/1", "/app?lang=en#/users/1"),
        ("/app?lang=en&fbclid=abc#/users/1?b=2&gclid=3&a=1", "/app?lang=en#/users/1?a=1&b=2"),
        ("/#/a?fbclid=abc", "/#/a"),
        ("/a?utm_source=x#", "/a"),
        ("/a#", "/a"),
        ("/#", "/"),
        ("/a/#", "/a"),
        ("/a?b=1#", "/a?b=1"),
        ("/a?b=1#?utm_source=x", "/a?b=1"),
        ("/a#&", "/a"),
        ("/#/", "/"),
        ("/a?#b", "/a#b"),
        ("/a?&&#b", "/a#b"),
        ("/a?b=1#c#d", "/a?b=1#c#d"),
        ("/a?b=%23c", "/a?b=%23c"),
        ("/a#b?", "/a#b"),
        ("/search?q=%FC", "/search?q=%FC"),
        ("/search?q=%E4", "/search?q=%E4"),
        ("/search?q=%fc&%E4=%c3%bc", "/search?q=%FC&%E4=%C3%BC"),
        ("/search?q=%FC#%FC", "/search?q=%FC#%FC"),
        ("/caf%E9", "/caf%E9"),
        ("https://example.com/a", "/https://example.com/a"),
        ("/a?fbclid=1", "/a"),
        ("/a?fbclid=1&b=2&utm_source=x&utm_anything=y", "/a?b=2"),
        ("/a/?ref=x", "/a"),
        ("/a?mc_cid=1&mc_eid=2&gclid=3&nsukey=4&isappinstalled=0", "/a"),
        ("/a?__cf_chl_captcha_tk__=1&__cf_chl_jschl_tk__=2&continueFlag=3", "/a"),
        ("/a?_x_tr_sl=en&_x_tr_hl=de&_x_tr_pto=x&_x_tr_tl=de", "/a"),
        ("/a?from=singlemessage", "/a"),
        ("/a?from=groupmessage", "/a"),
        ("/a?from=home", "/a?from=home"),
        ("/a?campaign=x&src=y&source=z", "/a?campaign=x&source=z&src=y"),
        ("/a?REF=x", "/a?REF=x"),
        (OFFLINE + "x/y.html", "/x/y.html"),
        (ARCHIVE + "https://example.com/a/b?c=1&b=2", "/a/b?b=2&c=1"),
        (ARCHIVE + "https://example.com", "/"),
        (ARCHIVE + "https://example.com/a?b=1#c", "/a?b=1#c"),
        (ARCHIVE + ARCHIVE[1:] + "https://example.com/a", "/a"),
        (ARCHIVE + "http://[broken/a", ARCHIVE + "http://[broken/a"),
        ("/web/1/https://example.com/a", "/web/1/https://example.com/a"),
        ("/a\0b", "/a\N{REPLACEMENT CHARACTER}b"),
        ("/a\ud800b", "/a\N{REPLACEMENT CHARACTER}b"),
    ],
)
def test_a_page(sent: str, kept: str) -> None:
    assert clean_path(sent) == kept


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("click", "click"),
        ("/click", "click"),
        ("//click", "click"),
        ("click/", "click/"),
        (" click ", " click "),
        ("a?utm_source=x", "a?utm_source=x"),
        ("", "(no event name)"),
        ("/", "(no event name)"),
        ("a\0", "a\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_an_event(sent: str, kept: str) -> None:
    assert clean_event(sent) == kept


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("/favicon.ico", True),
        ("/favicon.icon", False),
        ("/x/favicon.ico", False),
        ("/a<html>b", True),
        ("/<HTML>", True),
        ("/<Html>", False),
        ("/servlet/redirect.srv/x/y", True),
        ("/servlet/redirect", False),
    ],
)
def test_what_is_never_a_page(path: str, *, ignored: bool) -> None:
    assert is_ignored(path) is ignored


@pytest.mark.parametrize(
    ("stored", "others"),
    [
        ("/de/%C3%BCber", ["/de/über", "/de/%c3%bcber", "/DE/%C3%BCBER"]),
        ("/de/über", ["/de/%C3%BCber"]),
        ("/de/%C3%BCber%20uns", ["/de/über uns", "/de/über%20uns"]),
        ("/de/über?q=%C3%BC", ["/de/%C3%BCber?q=ü", "/de/über?q=ü"]),
        ("/%C3%BCber#/%C3%BC?a=%C3%BC", ["/über#/%C3%BC?a=ü"]),
        ("/100%25", ["/100%"]),
        ("/100%", ["/100%25"]),
        ("/caf%E9", ["/caf%e9"]),
        ("/a(b)'c!~*", ["/a%28b%29%27c%21~%2A"]),
        ("/a?b=x+y", ["/a?b=x y", "/a?b=x%20y"]),
        ("event über?", ["event%20%C3%BCber%3F"]),
        ("/\N{REPLACEMENT CHARACTER}", ["/\ud83d"]),
    ],
)
def test_a_name_is_stored_under_one_of_its_spellings(stored: str, others: list[str]) -> None:
    assert spellings(stored)[0] == stored
    for other in others:
        assert stored.lower() in [spelling.lower() for spelling in spellings(other)]


_pieces = st.sampled_from(
    [
        "/",
        "?",
        "&",
        "=",
        " ",
        "#",
        "%",
        "%FC",
        "%C3%BC",
        "utm_x=",
        "ref=1",
        "from=",
        "groupmessage",
        ARCHIVE,
        OFFLINE,
        "http://h",
        "..",
    ]
)
any_path = st.lists(_pieces | st.text(max_size=4), max_size=12).map("".join) | st.text()


@given(any_path)
def test_cleaning_takes_any_text_and_is_done_once(sent: str) -> None:
    path, event = clean_path(sent), clean_event(sent)
    assert clean_path(path) == path
    assert clean_event(event) == event
    assert not path or path.startswith("/")
    assert event
    assert not event.startswith("/")
    (path + event).encode()


@given(any_path)
def test_any_name_has_spellings_that_can_be_stored(name: str) -> None:
    for spelling in spellings(name):
        spelling.encode()


@given(any_path.filter(lambda path: "#" not in path))
def test_a_page_keeps_its_fragment(sent: str) -> None:
    path = clean_path("/page" + sent.strip("?& /"))
    assert clean_path(f"{path}#/users/1") == f"{path}#/users/1"
