"""Whatever the published scripts and clients can send is counted; a hit is lost only for a reason of its contract."""

import asyncio
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from support.analytics import CHROME, FIREFOX, Analytics, analytics_in_process
from support.warehouses import ids
from tallystick.model.path import clean_path, is_ignored
from tallystick.model.referrer import MAX_REFERRER, clean_referrer

once = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=150)

UNRESERVED_BY_SCRIPTS = "-_.!~*'()"
"""What encodeURIComponent leaves as it is."""


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def site(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Analytics]:
    context = analytics_in_process(tmp_path_factory.mktemp("every-hit"))
    opened = runner.run(context.__aenter__())
    yield opened
    # Every hit that was acknowledged can be read, once.
    assert sorted(runner.run(ids(opened.services.warehouse))) == list(range(1, stored(opened) + 1))
    runner.run(context.__aexit__(None, None, None))


def stored(site: Analytics) -> int:
    """How many hits are durable. To read them would move them first, which takes longer than all the rest."""
    return site.services.warehouse.marks.last_id


# What a page says of itself. Browsers escape paths and queries; people may set any text.
any_text = st.text(max_size=40)
words = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.~", max_size=12)
escaped = any_text.map(lambda text: quote(text, safe="!$&'()*+,;=:@"))
latin = st.binary(max_size=8).map(quote)
queries = st.lists(st.tuples(words | escaped, words | escaped | latin), max_size=5).map(
    lambda pairs: "?" + "&".join(f"{name}={value}" for name, value in pairs)
) | st.sampled_from(["", "?", "?a", "?&&", "?fbclid=abc", "?utm_source=x&utm_campaign=y", "?q=%FC", "?ref=%", "??"])
fragments = any_text.map("#{}".format) | st.sampled_from(["", "#", "#/about", "#/users/1?b=2", "#!/x", "##"])
pages = st.builds(
    lambda parts, query, fragment: f"/{'/'.join(parts)}{query}{fragment}",
    st.lists(words | escaped | latin, max_size=4),
    queries,
    fragments,
)
long_pages = st.sampled_from(["/" + "a" * 2047, "/?q=" + "%C3%BC" * 340, "/#" + "/" * 2040 + "x"])
paths = (pages | any_text | long_pages).filter(
    lambda path: (
        path.strip() and len(clean_path(path)) <= 2048 >= len(path.encode()) and not is_ignored(clean_path(path))
    )
)
events = any_text.filter(bool) | st.sampled_from(["click", "/click", "//", "e" * 2048])
titles = any_text | st.sampled_from(["", "t" * 1024, "\N{GRINNING FACE}" * 1024, "你" * 1024])
referrers = (
    pages.map(lambda page: f"https://www.example.org{page}")
    | any_text
    | st.sampled_from(
        ["", "https://", "//host/p?tok=1", "/?fbclid=abc", "android-app://com.example", "https://[broken", "a:b@c:d"]
    )
).filter(lambda ref: len(clean_referrer(ref).text) <= MAX_REFERRER and clean_referrer(ref).host != "localhost")
sizes = st.sampled_from(
    ["", "1920", "1920,1080,1", "1920,1080,1.100000023841858", "0,0,0", "-1", ",,", "NaN,NaN,1", "undefined", "1e9"]
) | st.text(max_size=20)
bots = st.sampled_from(["", "0", "150", "151", "152", "153"])
agents = st.sampled_from([FIREFOX, CHROME, FIREFOX.ljust(600, "x"), "", "curl/8", "Mozilla/5.0"]) | st.text(
    st.characters(codec="latin-1"), max_size=60
)
languages = st.sampled_from(["", "en-GB,en;q=0.5", "*", "de" * 300]) | st.text(
    st.characters(codec="latin-1"), max_size=20
)

said = st.fixed_dictionaries(
    {"p": paths, "r": referrers, "t": titles, "e": st.just(""), "s": sizes, "b": bots, "q": queries, "ns": st.just("")}
) | st.fixed_dictionaries(
    {
        "p": events,
        "r": referrers,
        "t": titles,
        "e": st.sampled_from(["true", "1", "on", "TRUE"]),
        "s": sizes,
        "b": bots,
        "q": queries,
        "ns": st.sampled_from(["", "true", "0", "1"]),
    }
)
unknown = st.lists(
    st.tuples(
        st.sampled_from(["rnd", "v", "ts", "P", "size", "", "%", "%FF", "q[]"]), st.binary(max_size=8).map(quote)
    ),
    max_size=150,
)


def _lower(text: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quote(text, safe=UNRESERVED_BY_SCRIPTS))


def _barely(text: str) -> str:
    """Only what would mean something else is escaped."""
    return re.sub(r"[%&+#\x00-\x20\x7f]", lambda found: f"%{ord(found[0]):02x}", text)


ENCODINGS: dict[str, Callable[[str], str]] = {
    "encodeURIComponent": lambda text: quote(text, safe=UNRESERVED_BY_SCRIPTS),
    "a form": quote_plus,
    "lower case": _lower,
    "barely": _barely,
    "everything": lambda text: "".join(f"%{byte:02X}" for byte in text.encode()),
}


def query_of(sent: dict[str, str], encoding: str, *, empty: bool, more: list[tuple[str, str]], rnd: str) -> bytes:
    """A query as count.js builds it, with unknown parameters among the known ones."""
    encode = ENCODINGS[encoding]
    parts = [f"{name}={encode(value)}" for name, value in sent.items() if value or empty]
    more_parts = [f"{name}={value}" for name, value in more]
    half = len(parts) // 2
    return "&".join([*parts[:half], *more_parts, *parts[half:], *([f"rnd={rnd}"] if rnd else [])]).encode()


@once
@given(
    sent=said,
    encoding=st.sampled_from(sorted(ENCODINGS)),
    empty=st.booleans(),
    more=unknown,
    rnd=words,
    method=st.sampled_from(["GET", "POST"]),
    agent=agents,
    language=languages,
)
@example(
    sent={"p": "/dpr", "s": "1920,1080,1.100000023841858"},
    encoding="encodeURIComponent",
    empty=False,
    more=[],
    rnd="x1y2z",
    method="GET",
    agent=FIREFOX,
    language="",
)
def test_each_request_of_the_script_is_counted(  # noqa: PLR0913, PLR0917  # the parts of a request
    site: Analytics,
    runner: asyncio.Runner,
    sent: dict[str, str],
    encoding: str,
    empty: bool,  # noqa: FBT001
    more: list[tuple[str, str]],
    rnd: str,
    method: str,
    agent: str,
    language: str,
) -> None:
    query = query_of(sent, encoding, empty=empty, more=more, rnd=rnd)
    headers = [("user-agent", agent), ("accept-language", language)]
    before = stored(site)
    answer = runner.run(site.running.send("/count", query, method=method, headers=headers))
    assert (answer.status, answer.headers.get("x-goatcounter")) == (200, None), query
    assert stored(site) == before + 1


REASONS = re.compile(
    r"error decoding parameters: (e|b|ns): .*|wrong value: b=-?\d+"
    r"|ignored because path is longer than 2048 bytes \(\d+ bytes\)"
    r"|not valid: ((path|title|ref): [^:]*)+"
    r"|ignored because the (path is not one of a page|referrer is known for spam)"
    r"|query too long"
)
parameters = st.tuples(
    st.sampled_from(["p", "t", "r", "e", "q", "s", "b", "ns", "rnd", "x"]),
    st.sampled_from(
        ["", "/", "1", "true", "149", "150", "%", "%FF", "%00", "t" * 1025, "/" + "p" * 2048, "%C3%BC" * 700]
    )
    | st.binary(max_size=12).map(quote)
    | any_text,
).map("=".join)


@once
@given(query=st.binary(max_size=200) | st.lists(parameters, max_size=12).map(lambda parts: "&".join(parts).encode()))
@example(query=b"p=/a&x=" + b"%" * 70_000)
def test_a_request_is_refused_only_for_reasons_of_the_contract(
    site: Analytics, runner: asyncio.Runner, query: bytes
) -> None:
    before = stored(site)
    answer = runner.run(site.running.send("/count", query, headers=[("user-agent", FIREFOX)]))
    reason = answer.headers.get("x-goatcounter")
    assert answer.status in {200, 202, 400, 414}
    assert (reason is None) == (answer.status == 200)
    assert reason is None or REASONS.fullmatch(reason), reason
    assert stored(site) == before + (answer.status == 200)


# What servers, programs and logs tell.
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | sizes,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(any_text, values, max_size=2),
    max_leaves=4,
)
hits = st.builds(
    lambda required, optional: required | optional,
    st.fixed_dictionaries({"path": paths})
    | st.fixed_dictionaries({"path": events, "event": st.sampled_from([True, 1])}),
    st.fixed_dictionaries(
        {},
        optional={
            "title": titles | st.none(),
            "ref": referrers | st.none(),
            "size": json_values,
            "query": queries | st.none(),
            "bot": st.sampled_from([None, 0, 1, 5, 153, 10**15]),
            "user_agent": any_text | st.sampled_from([FIREFOX, FIREFOX.ljust(600, "x")]),
            "location": any_text | st.sampled_from(["NL", "US-TX", ""]),
            "language": any_text | st.sampled_from(["en-GB", ""]),
            "ip": any_text | st.ip_addresses().map(str),
            "session": any_text | st.just("s" * 5_000),
            "created_at": st.datetimes(
                min_value=datetime(1991, 8, 6),  # noqa: DTZ001  # Z is added
                max_value=datetime(2026, 12, 31),  # noqa: DTZ001
            ).map(lambda moment: moment.isoformat() + "Z")
            | st.sampled_from(["0001-01-01T00:00:00Z", "2020-06-18T16:42:00.123456789+02:00", None]),
        },
    ),
)


@once
@given(batch=st.lists(hits, min_size=1, max_size=6))
@example(batch=[{"path": "/a", "size": "1539,866,1.0399999618530273"}, {"path": "/b"}])
def test_each_hit_of_a_batch_is_counted(site: Analytics, runner: asyncio.Runner, batch: list[dict[str, Any]]) -> None:
    before = stored(site)
    answer = runner.run(site.api("POST", "/count?x=1", json={"no_sessions": True, "hits": batch}))
    assert answer.status == 202, answer.body
    assert stored(site) == before + len(batch)


# countapi-js, JSONP and images: any name that the clients let through, from any page.
names = st.text("ABCabc019._-", min_size=3, max_size=64)
keys = st.one_of(
    names.map(lambda key: f"/{key}"),
    st.tuples(names, names).map(lambda pair: f"/{pair[0]}/{pair[1]}"),
    st.sampled_from(["/:HOST:/:PATHNAME:", "/:HOST:", "/:HOST:/visits", "/%3AHOST%3A/%3APATHNAME%3A", "/null/test"]),
)
dresses = st.lists(
    st.sampled_from(["callback=f", "callback=a.b", "img", "img=1", "_=123", "x", "amount=1", "a=%FF", "%", "="]),
    max_size=4,
    unique_by=lambda part: part.partition("=")[0],
).map("&".join)
froms = st.lists(
    st.tuples(
        st.sampled_from(["referer", "origin"]),
        st.sampled_from(["https://example.com/a/b", "null", "https://", "https://[", "https://xn--bcher-kva.example/"])
        | st.text(st.characters(codec="latin-1"), max_size=30),
    ),
    max_size=2,
    unique_by=lambda header: header[0],
)


@once
@given(key=keys, slash=st.sampled_from(["", "/"]), dress=dresses, page=froms, method=st.sampled_from(["GET", "POST"]))
def test_each_hit_get_and_update_of_the_counting_clients_works(  # noqa: PLR0913, PLR0917  # the parts of a request
    site: Analytics,
    runner: asyncio.Runner,
    key: str,
    slash: str,
    dress: str,
    page: list[tuple[str, str]],
    method: str,
) -> None:
    def value(verb: str, query: str = "") -> Any:
        answer = runner.run(site.running.ask(f"/{verb}{key}{slash}?{query}", method=method, headers=page))
        assert answer.status == 200, answer
        return answer

    value("hit")
    before = msgspec.json.decode(value("get").body)["value"]
    value("hit", dress)
    value("update", "amount=1")
    if "amount" not in dress:
        value("update", f"{dress}&amount=1" if dress else "amount=1")
        value("update", "amount=0")
    expected = before + (2 if "amount" in dress else 3)
    assert msgspec.json.decode(value("get", "_=1").body)["value"] == expected
