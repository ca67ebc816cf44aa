"""One page is one path, however it was asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.model.path import clean_event, clean_path, is_ignored

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
        ("/a?b=c#d", "/a?b=c%23d"),
        ("/a#b", "/a#b"),
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


_pieces = st.sampled_from(
    ["/", "?", "&", "=", " ", "#", "%", "utm_x=", "ref=1", "from=", "groupmessage", ARCHIVE, OFFLINE, "http://h", ".."]
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
