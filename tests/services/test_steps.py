"""What becomes of a hit, step by step."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW
from support.arrivals import FIREFOX, GOOGLEBOT, NOW_S, a_site, a_told_arrival, an_arrival
from tallystick.model.hit import WEB_BEGAN, Bot
from tallystick.model.site import COLLECT, Collect
from tallystick.services.ingest.arrival import Arrival, Dropped, DropReason, InvalidHit, Refusal
from tallystick.services.ingest.collection_rules import CollectionRules, rules_of
from tallystick.services.ingest.countries import Countries
from tallystick.services.ingest.ingest import STEPS
from tallystick.services.ingest.salts import Salts
from tallystick.services.ingest.spam import SpamReferrers

NO_SESSION = "session or browser/IP not set; use no_sessions if you don't want to track unique visits"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36"


class FixedSalts(Salts):
    """Salts without a ledger."""

    def __init__(self) -> None:
        self.take([(NOW, b"a" * 32), (NOW - 1, b"b" * 32)])


def rules(**settings: Any) -> CollectionRules:
    return rules_of(a_site(**settings), Countries(), SpamReferrers(), FixedSalts())


def judged(arrival: Arrival, **settings: Any) -> Refusal | None:
    known = rules(**settings)
    return next((refusal for step in STEPS if (refusal := step(known, arrival))), None)


def kept(arrival: Arrival, **settings: Any) -> Arrival:
    assert judged(arrival, **settings) is None
    return arrival


@pytest.mark.parametrize(
    ("fields", "settings", "reason"),
    [
        ({"prefetch": True}, {}, DropReason.PREFETCH),
        ({"gpc": True}, {"respect_gpc": True}, DropReason.OPTED_OUT),
        ({"gpc": True}, {"respect_dnt": True}, None),
        ({"gpc": True}, {}, None),
        ({"dnt": True}, {"respect_dnt": True}, DropReason.OPTED_OUT),
        ({"dnt": True}, {}, None),
        ({"path": "/favicon.ico"}, {}, DropReason.IGNORED_PATH),
        ({"path": "/favicon.ico?utm_source=x"}, {}, DropReason.IGNORED_PATH),
        ({"path": "favicon.ico", "event": True}, {}, None),
        ({"ref": "http://localhost:8000/x"}, {}, DropReason.SPAM_REFERRER),
        ({"ref": "http://localhost/", "query": "?utm_source=x"}, {}, DropReason.SPAM_REFERRER),
        ({"ref": "http://localhost/"}, {"collect": int(Collect.NOTHING)}, DropReason.SPAM_REFERRER),
        ({"ref": "localhost"}, {}, None),
    ],
)
def test_dropped(fields: dict[str, Any], settings: dict[str, Any], reason: DropReason | None) -> None:
    assert judged(an_arrival(**fields), **settings) == (reason and Dropped(reason))


@pytest.mark.parametrize(
    ("ignored", "address", "dropped"),
    [
        (["192.0.2.1"], "192.0.2.1", True),
        (["192.0.2.1"], "192.0.2.2", False),
        (["192.0.2.1"], " 192.0.2.1 ", True),
        (["192.0.2.1"], "::ffff:192.0.2.1", True),
        (["::ffff:192.0.2.1"], "192.0.2.1", True),
        (["192.0.2.0/24"], "192.0.2.77", True),
        (["192.0.2.9/24"], "192.0.2.77", True),
        (["192.0.2.0/24"], "192.0.3.77", False),
        (["2001:db8::1"], "2001:0DB8:0:0::1", True),
        (["2001:db8::/32"], "2001:db8:1::1", True),
        (["2001:db8::/32"], "192.0.2.1", False),
        (["10.0.0.1", "192.0.2.1"], "192.0.2.1", True),
        (["example"], "example", True),
        (["example/8"], "192.0.2.1", False),
        (["192.0.2.0/24"], "no address", False),
        ([], "192.0.2.1", False),
    ],
)
def test_ignored_addresses(ignored: list[str], address: str, *, dropped: bool) -> None:
    settings = {"ignore_ips": tuple(ignored)}
    expected = Dropped(DropReason.IGNORED_ADDRESS) if dropped else None
    assert judged(an_arrival(address=address), **settings) == expected
    assert judged(an_arrival(address=address, filtered=False), **settings) is None


@pytest.mark.parametrize(
    ("settings", "fields", "reason"),
    [
        ({"ignore_countries": ("US",)}, {}, DropReason.IGNORED_COUNTRY),
        ({"ignore_countries": ("US",), "collect": int(Collect.NOTHING)}, {}, DropReason.IGNORED_COUNTRY),
        ({"ignore_countries": ("US",)}, {"location": "us-TX", "address": None}, DropReason.IGNORED_COUNTRY),
        ({"ignore_countries": ("US",)}, {"location": "NL"}, None),
        ({"ignore_countries": ("US",)}, {"address": "192.0.2.1"}, None),
        ({"ignore_countries": ("US",)}, {"address": "no address"}, None),
        ({"ignore_paths": ("/a",)}, {"path": "/a/?utm_source=x"}, DropReason.IGNORED_PAGE),
        ({"ignore_paths": ("/a",)}, {"path": "/a/b"}, None),
        ({"ignore_paths": ("/a",)}, {"path": "signup", "event": True, "page": "/a"}, DropReason.IGNORED_PAGE),
        ({"ignore_paths": ("*",)}, {"path": "signup", "event": True}, DropReason.IGNORED_PAGE),
        ({"ignore_paths": ("/signup",)}, {"path": "signup", "event": True, "page": "/a"}, None),
        ({"ignore_hosts": ("example.com",)}, {"host": "example.com"}, DropReason.IGNORED_HOST),
        ({"ignore_hosts": ("example.com",)}, {"host": "blog.example.com"}, None),
        ({"ignore_hosts": ("*.example.com",)}, {"host": "a.blog.example.com"}, DropReason.IGNORED_HOST),
        ({"ignore_hosts": ("*.example.com",)}, {"host": "example.com"}, None),
        ({"ignore_hosts": ("*.example.com",)}, {"host": ""}, None),
        ({"ignore_campaigns": ("spring",)}, {"query": "utm_campaign=Spring"}, DropReason.IGNORED_CAMPAIGN),
        ({"ignore_campaigns": ("spring",)}, {"campaign": "spring"}, DropReason.IGNORED_CAMPAIGN),
        (
            {"ignore_campaigns": ("spring",), "collect": int(Collect.NOTHING)},
            {"path": "signup", "event": True, "query": "campaign=spring"},
            DropReason.IGNORED_CAMPAIGN,
        ),
        ({"ignore_campaigns": ("s*", "spring")}, {"query": "utm_campaign=spring-2"}, None),
        ({"ignore_campaigns": ("spring",)}, {"query": "utm_source=spring"}, None),
    ],
)
def test_left_out_by_the_sites_rules(
    settings: dict[str, Any], fields: dict[str, Any], reason: DropReason | None
) -> None:
    assert judged(an_arrival(**fields), **settings) == (reason and Dropped(reason))
    assert judged(an_arrival(**fields, filtered=False), **settings) is None


def test_a_country_that_is_not_collected_is_not_kept() -> None:
    arrival = kept(an_arrival(), ignore_countries=("NL",), collect=int(Collect.NOTHING))
    assert (arrival.country, arrival.region) == ("", "")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"path": ""}, "path: must be set, must be longer than 1 characters."),
        ({"path": " "}, "path: must be set, must be longer than 1 characters."),
        ({"path": "", "event": True}, "path: must be set, must be longer than 1 characters."),
        ({"path": "/" + "x" * 2_048}, "path: must be shorter than 2048 characters."),
        ({"path": "x" * 2_049, "event": True}, "path: must be shorter than 2048 characters."),
        ({"path": "x" * 100_000}, "path: must be shorter than 4096 characters."),
        ({"title": "x" * 1_025}, "title: must be shorter than 1024 characters."),
        ({"ref": "x" * 2_049}, "ref: must be shorter than 2048 characters."),
        ({"ref": "https://example.com/" + "x" * 5_000}, "ref: must be shorter than 2048 characters."),
        ({"created": NOW_S + 6}, "created_at: in the future."),
        ({"created": WEB_BEGAN - 1}, "created_at: older than the web: must be after 1991-08-06."),
        ({"created": -62_000_000_000}, "created_at: older than the web: must be after 1991-08-06."),
        (
            {"path": "", "title": "x" * 1_025},
            "path: must be set, must be longer than 1 characters.\ntitle: must be shorter than 1024 characters.\n",
        ),
    ],
)
def test_invalid(fields: dict[str, Any], text: str) -> None:
    refusal = judged(an_arrival(**fields))
    assert isinstance(refusal, InvalidHit)
    assert str(refusal) == text


@pytest.mark.parametrize(
    "fields",
    [
        {"path": "/" + "x" * 2_047},
        {"path": "/" + "x" * 2_047 + "?utm_source=" + "y" * 100},
        {"title": "x" * 1_024},
        {"ref": "x" * 2_048},
        {"ref": "https://example.com/?" + "x" * 3_000},
        {"ref": "https://example.com/?" + "x" * 100_000},
        {"query": "x" * 100_000},
        {"agent": FIREFOX.ljust(512, "x")},
        {"created": NOW_S + 5},
        {"created": WEB_BEGAN},
    ],
)
def test_valid_to_the_last_character(fields: dict[str, Any]) -> None:
    assert judged(an_arrival(**fields)) is None


@pytest.mark.parametrize("length", [513, 600, 100_000])
def test_a_long_agent_is_cut(length: int) -> None:
    arrival = kept(an_arrival(agent=FIREFOX.ljust(length, "x")))
    assert arrival.agent == FIREFOX.ljust(512, "x")
    assert arrival.browser == ("Firefox", "140")
    assert arrival.visitor == kept(an_arrival(agent=FIREFOX.ljust(512, "x"))).visitor


def test_sessions_of_any_length_are_told_apart() -> None:
    visitors = {kept(an_arrival(session="x" * 100_000 + end)).visitor for end in "aab"}
    assert len(visitors) == 2


@pytest.mark.parametrize(
    ("fields", "accepted"),
    [
        ({}, False),
        ({"agent": FIREFOX}, False),
        ({"address": "192.0.2.1"}, False),
        ({"agent": FIREFOX, "address": "192.0.2.1"}, True),
        ({"session": "x"}, True),
        ({"sessionless": True}, True),
        ({"no_session": True}, True),
    ],
)
def test_a_server_has_to_say_who_the_visitor_was(fields: dict[str, Any], *, accepted: bool) -> None:
    refusal = judged(a_told_arrival(**fields))
    assert (None if refusal is None else str(refusal)) == (None if accepted else NO_SESSION)


def test_what_is_wrong_with_the_session_is_told_before_all_else() -> None:
    assert str(judged(a_told_arrival(""))) == NO_SESSION
    assert str(judged(a_told_arrival("", sessionless=True))).startswith("path:")


def test_visitors_are_told_apart() -> None:
    known = an_arrival(), an_arrival(agent=CHROME), an_arrival(address="8.8.4.4"), an_arrival(session="x")
    assert len({kept(arrival).visitor for arrival in known}) == len(known)
    assert kept(an_arrival(address="8.8.8.8")).visitor == kept(an_arrival()).visitor
    assert kept(an_arrival(), id=2).visitor != kept(an_arrival()).visitor
    assert kept(an_arrival(address=None, agent="Mozilla/5.0 (a browser)")).visitor is not None


@pytest.mark.parametrize(
    ("fields", "settings"),
    [
        ({"no_session": True}, {}),
        ({}, {"collect": COLLECT & ~Collect.SESSION}),
        ({"session": "x", "no_session": True}, {}),
        ({"agent": GOOGLEBOT}, {}),
    ],
)
def test_some_hits_have_no_visitor(fields: dict[str, Any], settings: dict[str, Any]) -> None:
    assert kept(an_arrival(**fields), **settings).visitor is None


def test_a_server_without_sessions_names_nobody() -> None:
    assert kept(a_told_arrival(sessionless=True)).visitor is None
    told = kept(a_told_arrival(sessionless=True, agent=FIREFOX, address="192.0.2.1"))
    assert told.visitor == kept(an_arrival(address="192.0.2.1")).visitor


@pytest.mark.parametrize(
    ("fields", "bot"),
    [
        ({}, 0),
        ({"agent": GOOGLEBOT}, Bot.LINK),
        ({"agent": ""}, Bot.SHORT),
        ({"agent": "", "direct": False, "session": "x"}, 0),
        ({"agent": GOOGLEBOT, "bot": 150}, Bot.LINK),
        ({"bot": 153}, Bot.WEBDRIVER),
        ({"bot": 1}, Bot.KNOWN),
        ({"bot": 100_000}, 255),
        ({"bot": -5}, 0),
    ],
)
def test_bots(fields: dict[str, Any], bot: int) -> None:
    assert kept(an_arrival(**fields)).bot == bot


@pytest.mark.parametrize(
    ("fields", "settings", "place"),
    [
        ({}, {}, ("US", "")),
        ({"address": "193.0.6.139"}, {}, ("NL", "")),
        ({"address": "127.0.0.1"}, {}, ("", "")),
        ({"address": "no address"}, {}, ("", "")),
        ({"location": "US-TX"}, {}, ("US", "TX")),
        ({"location": "de-by"}, {}, ("DE", "")),
        ({"location": "DE-BY"}, {"collect_regions": ()}, ("DE", "BY")),
        ({"location": "DE-BY"}, {"collect_regions": ("de",)}, ("DE", "BY")),
        ({"location": "US-TX"}, {"collect": COLLECT & ~Collect.REGION}, ("US", "")),
        ({"location": "US-TX"}, {"collect": COLLECT & ~Collect.LOCATION}, ("US", "TX")),
        ({"location": "US-TX"}, {"collect": COLLECT & ~(Collect.LOCATION | Collect.REGION)}, ("", "")),
        ({"location": "nowhere"}, {}, ("", "")),
    ],
)
def test_places(fields: dict[str, Any], settings: dict[str, Any], place: tuple[str, str]) -> None:
    arrival = kept(an_arrival(**fields), **settings)
    assert (arrival.country, arrival.region) == place


@pytest.mark.parametrize(
    ("language", "settings", "code"),
    [
        ("en-GB,en;q=0.9", {"collect": COLLECT | Collect.LANGUAGE}, "eng"),
        ("nonsense", {"collect": COLLECT | Collect.LANGUAGE}, ""),
        ("en", {}, ""),
    ],
)
def test_languages(language: str, settings: dict[str, Any], code: str) -> None:
    assert kept(an_arrival(language=language), **settings).language == code


@pytest.mark.parametrize(
    ("fields", "source"),
    [
        ({}, ("", "o", "")),
        ({"ref": "https://example.com/a?b"}, ("example.com/a", "h", "")),
        ({"ref": "Newsletter"}, ("Newsletter", "o", "")),
        ({"query": "?utm_source=x"}, ("x", "c", "")),
        ({"ref": "https://example.com", "query": "?ref=x&campaign=y"}, ("x", "c", "y")),
        ({"ref": "https://example.com", "query": "?utm_campaign=y"}, ("example.com", "c", "y")),
        ({"ref": "https://example.com/?" + "x" * 9_000}, ("example.com", "h", "")),
        ({"query": "?utm_campaign=y&src=" + "x" * 9_000}, ("", "o", "y")),
        ({"query": "?utm_campaign=y"}, ("", "o", "y")),
        ({"query": "?utm_campaign=y", "event": True}, ("", "o", "y")),
        ({"query": "?utm_source=/&utm_campaign=y"}, ("", "o", "y")),
        ({"ref": "/?fbclid=abc"}, ("", "o", "")),
        ({"ref": "//host/p?tok=1"}, ("host/p", "h", "")),
        ({"ref": "android-app://com.example/x?a=b"}, ("com.example/x", "o", "")),
        ({"ref": "Newsletter/"}, ("Newsletter", "o", "")),
        ({"query": "?utm_source=https://chatgpt.com/%3Ftoken=1"}, ("chatgpt.com", "c", "")),
        ({"ref": "/?fbclid=abc", "ref_scheme": "o"}, ("", "o", "")),
        ({"ref": "example.com/a?b=c", "ref_scheme": "h"}, ("example.com/a", "h", "")),
        ({"ref": "Who are you?", "ref_scheme": "c"}, ("Who are you?", "c", "")),
        ({"ref": "https://example.com/?token=1", "ref_scheme": "c"}, ("example.com", "c", "")),
        ({"ref": "example.com./", "ref_scheme": "c"}, ("example.com", "c", "")),
        ({"ref": "/?fbclid=abc", "ref_scheme": "h"}, ("", "o", "")),
        ({"ref": "", "ref_scheme": "c"}, ("", "o", "")),
        ({"ref": "https://example.com", "query": "?utm_source=x", "event": True}, ("example.com", "h", "")),
        ({"ref": "https://example.com", "ref_scheme": "g"}, ("https://example.com", "g", "")),
        ({"ref": "a\0", "ref_scheme": "o"}, ("a\N{REPLACEMENT CHARACTER}", "o", "")),
    ],
)
def test_sources(fields: dict[str, Any], source: tuple[str, str, str]) -> None:
    arrival = kept(an_arrival(**fields))
    assert (arrival.ref, arrival.ref_scheme, arrival.campaign) == source


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"path": "a/?fbclid=1"}, "/a"),
        ({"path": "/a", "event": True}, "a"),
        ({"path": "", "event": True, "direct": False}, "(no event name)"),
    ],
)
def test_names(fields: dict[str, Any], path: str) -> None:
    assert kept(an_arrival(**fields)).path == path


def test_what_imports_know_wins() -> None:
    told = kept(a_told_arrival(session="x", browser=("Lynx", "2"), system=("BeOS", "")))
    assert (told.browser, told.system) == (("Lynx", "2"), ("BeOS", ""))
    assert kept(a_told_arrival(session="x")).browser == ("", "")


def test_a_site_that_collects_nothing_keeps_the_path() -> None:
    arrival = an_arrival(
        path="/a",
        ref="https://example.com",
        query="?utm_source=x&utm_campaign=y",
        width=1920,
        language="en",
        location="US-TX",
    )
    kept(arrival, collect=int(Collect.NOTHING))
    assert (arrival.path, arrival.ref, arrival.ref_scheme, arrival.campaign) == ("/a", "", "o", "")
    assert (arrival.browser, arrival.system, arrival.width) == (("", ""), ("", ""), 0)
    assert (arrival.country, arrival.region, arrival.language, arrival.visitor) == ("", "", "", None)


@pytest.mark.parametrize(("sent", "width"), [(1920, 1920), (-1, 0), (2**40, 2**31 - 1)])
def test_widths(sent: int, width: int) -> None:
    assert kept(an_arrival(width=sent)).width == width


texts = st.text(max_size=30) | st.sampled_from(["/", "https://a.example/x?y", FIREFOX, "192.0.2.1", "en", "US-TX"])


@given(
    fields=st.fixed_dictionaries(
        dict.fromkeys(("path", "title", "ref", "query", "agent", "address", "location", "language", "session"), texts)
        | {name: st.booleans() for name in ("event", "direct", "sessionless", "no_session", "filtered")}
        | {name: st.integers(-(10**20), 10**20) for name in ("width", "bot", "created")}
    ),
    collect=st.integers(0, 511),
)
def test_any_arrival_is_refused_or_can_be_stored(fields: dict[str, Any], collect: int) -> None:
    arrival = Arrival(**fields, received=NOW_S)
    if judged(arrival, collect=collect, ignore_ips=("192.0.2.0/24", "x")) is None:
        told = (arrival.path, arrival.title, arrival.ref, arrival.campaign, arrival.country, arrival.language)
        "".join(told).encode()
        assert "\0" not in "".join(told)
        assert arrival.path
        assert 0 <= arrival.width < 2**31
        assert 0 <= arrival.bot < 256


@pytest.mark.parametrize(
    ("props", "settings", "expected"),
    [
        ({}, {}, {}),
        ({"plan": "pro"}, {}, {"plan": "pro"}),
        ({"plan": "pro"}, {"collect_props": False}, {}),
        ({"x" * 301: "y", "plan": "pro"}, {}, {"plan": "pro"}),
        ({"x": "y" * 2_001, "plan": "pro"}, {}, {"plan": "pro"}),
        ({f"{number}": "x" for number in range(50)}, {}, {f"{number}": "x" for number in range(30)}),
    ],
)
def test_properties(props: dict[str, str], settings: dict[str, Any], expected: dict[str, str]) -> None:
    assert kept(an_arrival(props=props), **settings).props == expected


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("", ""),
        ("/pricing/?fbclid=x", "/pricing"),
        ("pricing", "/pricing"),
        ("/favicon.ico", ""),
        ("/" + "x" * 2_048, ""),
        ("/" + "x" * 10_000, ""),
    ],
)
def test_the_page_of_an_event(page: str, expected: str) -> None:
    assert kept(an_arrival(path="signup", event=True, page=page)).page == expected
    assert not kept(an_arrival(path="/a", page=page)).page


@pytest.mark.parametrize(
    ("fields", "settings", "expected"),
    [
        ({"agent": CHROME}, {}, "Desktop"),
        ({"agent": CHROME, "device": "tablet"}, {}, "Tablet"),
        ({"agent": CHROME, "device": "Toaster"}, {}, ""),
        ({"device": "Mobile"}, {}, "Mobile"),
        ({"agent": CHROME, "device": "Mobile"}, {"collect": int(Collect.SESSION)}, ""),
    ],
)
def test_devices(fields: dict[str, Any], settings: dict[str, Any], expected: str) -> None:
    assert kept(an_arrival(**fields), **settings).device == expected
