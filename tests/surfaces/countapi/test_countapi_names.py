"""Which names are legal, what the reserved words become, and where both may stand."""

from urllib.parse import quote, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from support.asking import Answer, ask, new_name
from support.server import RunningServer
from tallystick.model.key import legal_name
from tallystick.surfaces.countapi.wire import HOST, PATHNAME, CallingPage

LEGAL = ["abc", "ABC", "a" * 64, "123", "...", "---", "___", "a.b-c_D", ".env", "null", "undefined", "create"]
ILLEGAL = [
    *("a", "ab", "a" * 65, "a" * 600, "a" * 20_000),
    *("abc\n", "\nabc", "abc\r", "a bc", "abc ", "a+b+c", "a\tbc", "a\x00bc", "abc\x7f"),
    *("café", "ééé", "名前名前", "\u0661\u0662\u0663", "\uff41\uff42\uff43", "ab\u200b", "abc\U0001f600"),
    *("a:bc", "abc~", "a*bc", "a&bc", "a=bc", "a?bc", "a#bc", "a%bc", "a@bc", "a,b,c", "a;b;c", "a'bc", 'a"bc'),
    *("a\\bc", "<abc>", "(abc)", "[abc]", "{abc}", "$abc", "!abc"),
    *(":host:", ":Host:", ":HOST", "x:HOST:", ":HOST::PATHNAME:", ":KEY:"),
]
VERBS = {"get": "", "hit": "", "info": "", "set": "?value=1", "update": "?amount=1"}


def is_malformed(answer: Answer) -> bool:
    return (answer.status, answer.text, answer.path) == (400, '{"error":"Malformed Namespace/Key"}', None)


@pytest.mark.parametrize("name", LEGAL, ids=ascii)
def test_a_legal_name_may_be_key_and_namespace(shared_server: RunningServer, name: str) -> None:
    other = new_name()
    for path in (f"{name}/{other}", f"{other}/{name}"):
        assert ask(shared_server.url, f"/get/{path}").path == path
    created = ask(shared_server.url, f"/create?key={name}&namespace={other}")
    assert (created.status, created.json()) == (200, {"namespace": other, "key": name, "value": 0})
    created = ask(shared_server.url, f"/create?key={other}&namespace={name}")
    assert (created.status, created.json()) == (200, {"namespace": name, "key": other, "value": 0})


@pytest.mark.parametrize("name", ILLEGAL, ids=lambda name: ascii(name[:20]))
def test_an_illegal_name_is_malformed_wherever_it_stands(shared_server: RunningServer, name: str) -> None:
    encoded = quote(name, safe="")
    for verb, query in VERBS.items():
        for path in (encoded, f"{encoded}/legal", f"legal/{encoded}", f"{encoded}/{encoded}/"):
            assert is_malformed(ask(shared_server.url, f"/{verb}/{path}{query}")), f"/{verb}/{path}"
    if len(encoded) < 4_000:
        for query in (f"key={encoded}", f"namespace={encoded}&key=legal", f"namespace={encoded}"):
            assert is_malformed(ask(shared_server.url, f"/create?{query}")), query


@pytest.mark.parametrize("path", ["//legal", "/legal//"])
def test_an_empty_name_is_malformed(shared_server: RunningServer, path: str) -> None:
    assert is_malformed(ask(shared_server.url, f"/hit{path}"))


@pytest.mark.parametrize("raw", ["%FF%FE%FD", "abc%FF", "abc%", "abc%z", "abc%zz", "%E0%80%80abc", "abc%0", "%%%"])
def test_broken_percent_encoding_is_malformed(shared_server: RunningServer, raw: str) -> None:
    assert is_malformed(ask(shared_server.url, f"/hit/{raw}"))


def test_percent_encoding_of_legal_characters_means_the_characters(shared_server: RunningServer) -> None:
    namespace = new_name()
    assert ask(shared_server.url, f"/hit/{namespace}/%61%62%2Ec").path == f"{namespace}/ab.c"
    assert ask(shared_server.url, f"/%68it/{namespace}/ab.c").json() == {"value": 2}


def test_an_encoded_slash_is_a_slash(shared_server: RunningServer) -> None:
    namespace = new_name()
    assert ask(shared_server.url, f"/hit/{namespace}%2Fvisits").path == f"{namespace}/visits"
    assert ask(shared_server.url, f"/hit/{namespace}%2Fvisits%2Fmore").status == 404


A_PAGE = "https://mysite.com/example/page"
PAGES: list[tuple[str, dict[str, str], str]] = [
    ("the documented example", {"Referer": A_PAGE}, "mysite.com/examplepage"),
    ("no page at all, as from Node", {}, ".../..."),
    ("the site's root", {"Referer": "https://mysite.com/"}, "mysite.com/..."),
    ("an origin for a referrer, as browsers send across sites", {"Referer": "https://mysite.com"}, "mysite.com/..."),
    ("short paths are padded on the left", {"Referer": "https://mysite.com/a/b/"}, "mysite.com/.ab"),
    ("one character", {"Referer": "https://mysite.com/a"}, "mysite.com/..a"),
    ("three are enough", {"Referer": "https://mysite.com/abc"}, "mysite.com/abc"),
    ("a short host", {"Referer": "http://t/visits"}, "..t/visits"),
    ("case of the host is dropped, of the path kept", {"Referer": "HTTPS://MySite.COM/About"}, "mysite.com/About"),
    ("the port is dropped", {"Referer": "http://mysite.com:8080/about"}, "mysite.com/about"),
    ("query and fragment are no path", {"Referer": "https://mysite.com/about?a=b#c"}, "mysite.com/about"),
    ("who logged in is not told", {"Referer": "https://user:secret@mysite.com/about"}, "mysite.com/about"),
    ("many slashes", {"Referer": "https://mysite.com//a///b/c//"}, "mysite.com/abc"),
    ("illegal characters are dropped", {"Referer": "https://mysite.com/caf%C3%A9/~me/a+b"}, "mysite.com/cafC3A9meab"),
    ("Latin letters outside ASCII are dropped", {"Referer": "https://mysite.com/caf\xe9s"}, "mysite.com/cafs"),
    ("only illegal characters", {"Referer": "https://mysite.com/~/!/$"}, "mysite.com/..."),
    ("a long path is cut", {"Referer": f"https://mysite.com/{'a' * 63}/bcd"}, f"mysite.com/{'a' * 63}b"),
    ("a long host is cut", {"Referer": f"https://{'a' * 60}.mysite.com/abc"}, f"{'a' * 60}.mys/abc"),
    ("an IPv6 host", {"Referer": "http://[::1]:8080/about"}, "..1/about"),
    ("an IPv4 host", {"Referer": "http://127.0.0.1:8080/about"}, "127.0.0.1/about"),
    ("a broken address", {"Referer": "http://[bad/about"}, ".../..."),
    ("a file", {"Referer": "file:///home/me/about.html"}, ".../..."),
    ("no address", {"Referer": "mysite.com/about"}, ".../..."),
    ("an empty referrer", {"Referer": ""}, ".../..."),
    ("Origin stands in for the host", {"Origin": "https://mysite.com:8443"}, "mysite.com/..."),
    ("an opaque origin", {"Origin": "null"}, ".../..."),
    ("Referer wins over Origin", {"Referer": A_PAGE, "Origin": "https://other.com"}, "mysite.com/examplepage"),
    ("a broken Referer does not", {"Referer": "about:blank", "Origin": "https://other.com"}, "other.com/..."),
]


@pytest.mark.parametrize(("headers", "path"), [row[1:] for row in PAGES], ids=[row[0] for row in PAGES])
def test_reserved_words(shared_server: RunningServer, headers: dict[str, str], path: str) -> None:
    assert ask(shared_server.url, "/get/:HOST:/:PATHNAME:", headers=headers).path == path
    assert ask(shared_server.url, "/get/%3AHOST%3A/%3APATHNAME%3A/", headers=headers).path == path


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/get/:HOST:", "default/mysite.com"),
        ("/get/:PATHNAME:", "default/examplepage"),
        ("/get/:PATHNAME:/:HOST:", "examplepage/mysite.com"),
        ("/get/:HOST:/:HOST:", "mysite.com/mysite.com"),
        ("/get/:HOST:/likes", "mysite.com/likes"),
        ("/get/likes/:PATHNAME:", "likes/examplepage"),
        ("/info/:HOST:/:PATHNAME:", "mysite.com/examplepage"),
        ("/update/:HOST:/:PATHNAME:?amount=1", "mysite.com/examplepage"),
        ("/set/:HOST:/:PATHNAME:?value=1", "mysite.com/examplepage"),
    ],
)
def test_a_reserved_word_may_stand_for_either_name(shared_server: RunningServer, target: str, path: str) -> None:
    assert ask(shared_server.url, target, headers={"Referer": A_PAGE}).path == path


def test_hit_counts_each_page_under_its_own_name(shared_server: RunningServer) -> None:
    host = f"{new_name()}.com"
    for page, path in (("/", "..."), ("/about", "about"), ("/about/", "about"), ("/About", "About")):
        answer = ask(shared_server.url, "/hit/:HOST:/:PATHNAME:", headers={"Referer": f"https://{host}{page}"})
        assert answer.path == f"{host}/{path}"
    assert ask(shared_server.url, f"/get/{host}/about").json() == {"value": 2}


def test_create_replaces_reserved_words_too(shared_server: RunningServer) -> None:
    host = f"{new_name()}.com"
    for query in ("namespace=:HOST:&key=:PATHNAME:", "namespace=%3AHOST%3A&key=likes"):
        created = ask(shared_server.url, f"/create?{query}", headers={"Referer": f"https://{host}/a/page"})
        name = "likes" if "likes" in query else "apage"
        assert (created.status, created.path) == (200, f"{host}/{name}")
        assert created.json() == {"namespace": host, "key": name, "value": 0}


ADDRESSES = [
    ("https://shop.com/cart", "shop.com/cart"),
    ("http://shop.com:81/cart/?a=b&c=d#e", "shop.com/cart"),
    ("", "mysite.com/examplepage"),  # empty is absent
    ("shop.com/cart", ".../..."),  # not the address of a page, and the headers are not asked
    ("javascript:alert(1)", ".../..."),
    ("//shop.com/cart", ".../..."),
]


@pytest.mark.parametrize(("address", "path"), ADDRESSES)
def test_the_page_parameter_wins_over_the_headers(shared_server: RunningServer, address: str, path: str) -> None:
    target = f"/get/:HOST:/:PATHNAME:?{urlencode({'page': address})}"
    assert ask(shared_server.url, target, headers={"Referer": A_PAGE}).path == path


def test_the_page_parameter_changes_no_ordinary_name(shared_server: RunningServer) -> None:
    assert ask(shared_server.url, "/get/likes/likes?page=https%3A%2F%2Fshop.com%2Fcart").path == "likes/likes"


addresses = st.one_of(
    st.text(),
    st.binary().map(lambda raw: raw.decode("latin-1")),
    st.builds("{}://{}/{}".format, st.sampled_from(["http", "https", "HTTP"]), st.text(), st.text()),
)


@given(referer=addresses, origin=addresses, page=st.none() | addresses)
@example(referer="http://\u2100.com/", origin="", page=None)
@example(referer="", origin="http://[::1%eth0]/", page=None)
@example(referer="", origin="", page="http://a\u0130/\u0131")
def test_a_reserved_word_always_becomes_a_legal_name(referer: str, origin: str, page: str | None) -> None:
    headers = [(b"referer", referer.encode("latin-1", "replace")), (b"origin", origin.encode("latin-1", "replace"))]
    for word in (HOST, PATHNAME):
        name = CallingPage(headers, page).replaced(word)
        assert name is not None
        assert legal_name(name)
