"""What clients do with arguments that cannot be sent: every method of every client, both kinds."""

import datetime as dt
import gzip
import inspect
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from support.client_calls import arguments_of
from support.clients import Driven, Script
from tallystick.client import (
    AsyncCountApi,
    AsyncCountTogether,
    AsyncGoatCounter,
    AsyncPublicCounters,
    CountApi,
    CountTogether,
    GoatCounter,
    PublicCounters,
    query_filters,
)
from tallystick.client.calls import answered, each
from tallystick.client.errors import BadRequest, ClientError, ConnectionLost, InvalidArgument, UnexpectedAnswer
from tallystick.client.goatcounter_answers import Hit
from tallystick.client.public_counters import Addition
from tallystick.client.query_filters import Filter, is_, negated

BLOCKING = (CountApi, PublicCounters, GoatCounter, CountTogether)
AWAITED = (AsyncCountApi, AsyncPublicCounters, AsyncGoatCounter, AsyncCountTogether)
METHODS = [
    (client, name)
    for client in (*BLOCKING, *AWAITED)
    for name, _ in inspect.getmembers(client, lambda m: isinstance(m, answered | each))
]
SITE = "stats.example.com"


def nested(depth: int) -> Filter:
    """A filter in as many negations."""
    found = is_("page", "/a")
    for _ in range(depth):
        found = negated(found)
    return found


HOSTILE: list[Any] = [
    None,
    True,
    -1,
    2**64,
    10**5000,
    1.5,
    float("nan"),
    "",
    "x\ny",
    "é",
    "\ud800",
    "x" * 70_000,
    b"x",
    [],
    (),
    {},
    ["\ud800"],
    [None],
    [nested(5_000)],
    ("2026-03-10", "2026-03-11"),
    {"\ud800": object()},
    {"page": "/a"},
    object(),
    dt.datetime.min,  # noqa: DTZ901  # that is the case
    dt.datetime.max.replace(tzinfo=dt.timezone(-dt.timedelta(hours=23))),
    Path("\ud800"),
]


def opened(client: type[Any], answer: Callable[[httpx.Request], httpx.Response], token: str | None = "t") -> Any:
    made = client("http://server.test", token, transport=httpx.MockTransport(answer), retries=0)
    return Driven(made) if client in AWAITED else made


def refusing(request: httpx.Request) -> httpx.Response:
    """Answer 400, and check that a socket would have taken the request."""
    for name, value in request.headers.raw:
        assert value == value.strip()
        assert value.isascii()
        assert (name + value).decode().isprintable()
    assert len(request.url.raw_path) < 65_536
    return httpx.Response(400, json={"error": "no"})


def argument_names(client: type[Any], name: str) -> list[str]:
    return [
        each_ for each_ in inspect.signature(getattr(client("http://server.test"), name)).parameters if each_ != "self"
    ]


def outcome(api: Any, name: str, arguments: dict[str, Any]) -> None:
    """Make a call; of many results get the first."""
    result = getattr(api, name)(**arguments)
    next(result, None) if isinstance(result, Iterator) else None


@pytest.mark.parametrize(("client", "name"), METHODS)
def test_only_errors_of_the_client_leave_it(client: type[Any], name: str, tmp_path: Path) -> None:
    usual = arguments_of(client, name) | ({"to": tmp_path / "x"} if name == "download_export" else {})
    with opened(client, refusing) as api:
        for argument in argument_names(client, name):
            for value in HOSTILE:
                try:
                    outcome(api, name, usual | {argument: value})
                except ClientError:
                    continue


@pytest.mark.parametrize(("client", "name"), METHODS)
def test_an_unknown_argument_is_a_type_error(client: type[Any], name: str) -> None:
    api = client("http://server.test")
    with pytest.raises(TypeError, match=rf"{name}\(\) got an unexpected keyword argument 'filter'"):
        getattr(api, name)(**arguments_of(client, name), filter=[])


@pytest.mark.parametrize("client", [GoatCounter, AsyncGoatCounter])
def test_the_arguments_of_another_call_are_unknown(client: type[Any]) -> None:
    api = client("http://server.test")
    with pytest.raises(TypeError, match=r"ask_rows\(\) got an unexpected keyword argument 'limit'"):
        api.ask_rows(["visitors"], limit=10)
    with pytest.raises(TypeError, match=r"total\(\) got an unexpected keyword argument 'contry'"):
        api.total(contry="NL")
    with pytest.raises(TypeError, match=r"ask\(\) missing a required argument: 'metrics'"):
        api.ask(site=SITE)


def test_help_shows_every_argument() -> None:
    assert {"metrics", "site", "filters", "limit"} <= set(argument_names(GoatCounter, "ask"))
    assert {"page", "start", "country"} <= set(argument_names(AsyncGoatCounter, "stats"))


def body_of(**question: Any) -> dict[str, Any]:
    """The body that both clients send, which must be the same."""
    bodies = []
    for awaited in (None, AsyncGoatCounter):
        sent = httpx.Response(200, json={"results": [], "query": {"date_range": ["2026-03-10T00:00:00Z"] * 2}})
        script = Script(sent)
        with script.client(GoatCounter, awaited, "secret") as api:
            api.ask(**question)
        bodies.append(msgspec.json.decode(script.requests[0].content, type=dict[str, Any]))
    assert bodies[0] == bodies[1]
    return bodies[0]


def test_iterators_are_read_once() -> None:
    wanted = body_of(
        metrics=["visitors"],
        dimensions=["page", "source"],
        filters=[is_("page", "/a")],
        site=["a", "b"],
        order=[("visitors", "desc"), ("page", "asc")],
    )
    assert wanted["order_by"] == [["visitors", "desc"], ["event:page", "asc"]]
    for awaited in (None, AsyncGoatCounter):
        sent = {
            "results": [{"metrics": [1], "dimensions": ["/a", "x"]}],
            "query": {"date_range": ["2026-03-10T00:00:00Z"] * 2},
        }
        script = Script(httpx.Response(200, json=sent))
        with script.client(GoatCounter, awaited, "secret") as api:
            answer = api.ask(
                iter(["visitors"]),
                dimensions=(name for name in ("page", "source")),
                filters=iter([is_("page", "/a")]),
                site=iter(["a", "b"]),
                order=iter([("visitors", "desc"), ("page", "asc")]),
            )
        assert msgspec.json.decode(script.requests[0].content) == wanted
        assert answer.rows[0].values == {"page": "/a", "source": "x"}
        assert answer.rows[0].figures == {"visitors": 1}


def test_none_is_as_if_left_out() -> None:
    names = [
        name for name in argument_names(GoatCounter, "ask") if name not in ("metrics", "limit", "offset", "total_rows")
    ]
    assert body_of(metrics=["visitors"], **dict.fromkeys(names)) == body_of(metrics=["visitors"])
    script = Script(httpx.Response(200, json={"total": 1}))
    with script.client(GoatCounter, None, "secret") as api:
        api.total(start=None, country=None)
    assert script.requests[0].url.query == b""


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"site": ""}, "site must not be empty"),
        ({"site": ()}, "site must not be empty"),
        ({"site": ["", "a"]}, "site must not be empty"),
        ({"site": 3}, "site must be a text or a list, not int"),
        ({"site": ["a", 3]}, r"site\[1\] must be a text, not int"),
        ({"compare": ()}, "compare must be a pair, not 0 values"),
        ({"compare": ""}, "compare must not be empty"),
        ({"compare": ("2026-03-10", "2026-03-11")}, r"compare\[0\] must be of type date or of type datetime, not str"),
        ({"period": ""}, "period must not be empty"),
        ({"timezone": ""}, "timezone must not be empty"),
        ({"same_weekdays": True}, "same_weekdays applies to compare"),
        ({"compare_gone": False}, "compare_gone applies to compare"),
        ({"same_weekdays": "no"}, "same_weekdays must be True or False, not str"),
        ({"metrics": "visitors"}, "metrics must be a list, not str"),
        ({"filters": is_("page", "/a")}, "filters must be a list, not Filter"),
        ({"filters": [["is", "event:page", ["/a"]]]}, r"filters\[0\] must be of type Filter, not list"),
        ({"filters": [nested(5_000)]}, "an argument is nested too deeply"),
        ({"filters": [Filter(("is", "event:page", ("\ud800",)))]}, "an argument has a text that is not valid Unicode"),
        ({"order": ["visitors"]}, r"order\[0\] must be a pair, not str"),
        ({"order": [("visitors",)]}, r"order\[0\] must be a pair, not 1 values"),
        ({"limit": "10"}, "limit must be a whole number, not str"),
        ({"limit": True}, "limit must be a whole number, not bool"),
        ({"dimensions": ["\ud800"]}, r"dimensions\[0\] is not valid Unicode"),
    ],
)
def test_a_question_that_cannot_be_sent(question: dict[str, Any], message: str) -> None:
    for client in (GoatCounter, AsyncGoatCounter):
        with opened(client, refusing) as api, pytest.raises(InvalidArgument, match=f"^{message}"):
            api.ask(**{"metrics": ["visitors"]} | question)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"site": ""}, "site must not be empty"),
        ({"timezone": ""}, "timezone must not be empty"),
        ({"period": ""}, "period must not be empty"),
        ({"funnel": []}, "funnel must not be empty"),
        ({"funnel": 3, "strict": True}, "strict applies to steps"),
        (
            {"funnel": [{"pge": "/a"}]},
            r"funnel\[0\] has an unknown member; there are page, event, goal, name, optional",
        ),
        ({"funnel": [{"page": 3}]}, r"funnel\[0\]\.page must be a text, not int"),
        ({"funnel": ["/a", "/b"]}, r"funnel\[0\] must be a mapping, not str"),
    ],
)
def test_a_question_about_a_funnel_that_cannot_be_sent(arguments: dict[str, Any], message: str) -> None:
    for client in (GoatCounter, AsyncGoatCounter):
        with opened(client, refusing) as api, pytest.raises(InvalidArgument, match=f"^{message}"):
            api.ask_funnel(**{"funnel": [{"page": "/a"}, {"page": "/b"}]} | arguments)


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"path": ""}, "path must not be empty"),
        ({"country": ""}, "country must not be empty"),
        ({"include_paths": []}, "include_paths must not be empty"),
        ({"include_paths": ["/a,b"], "path_by_name": True}, "include_paths has a text with a comma or a blank"),
        ({"include_paths": ["/a b"], "path_by_name": True}, "include_paths has a text with a comma or a blank"),
        ({"metrics": "visitors"}, "metrics must be a list, not str"),
        ({"start": dt.datetime.max.replace(tzinfo=dt.timezone(-dt.timedelta(hours=2)))}, "start is out of range"),
    ],
)
def test_a_statistic_that_cannot_be_asked_for(question: dict[str, Any], message: str) -> None:
    """An empty filter is none on the wire: the answer would be that of the whole site."""
    for client in (GoatCounter, AsyncGoatCounter):
        with opened(client, refusing) as api, pytest.raises(InvalidArgument, match=f"^{message}"):
            api.total(**question)


def test_empty_lists_of_a_change_are_sent() -> None:
    script = Script(httpx.Response(400), httpx.Response(400))
    with script.client(GoatCounter, None, "secret") as api:
        with pytest.raises(BadRequest):
            api.change_funnel(SITE, 1, steps=[])
        with pytest.raises(BadRequest):
            api.change_segment(SITE, 1, filters=[])
    assert [request.content for request in script.requests] == [b'{"steps":[]}', b'{"filters":[]}']


def test_an_empty_name_makes_no_counter_of_another_name() -> None:
    for arguments in ({"key": ""}, {"key": "a", "namespace": ""}):
        with opened(CountApi, refusing) as api, pytest.raises(InvalidArgument, match="must not be empty"):
            api.create(**arguments)


@pytest.mark.parametrize("key", ["", "é", "a\nb", " a", "a "])
def test_a_key_that_no_header_takes(key: str) -> None:
    with opened(CountApi, refusing) as api, pytest.raises(InvalidArgument, match=r"idempotency_key|Idempotency-Key"):
        api.hit("visits", idempotency_key=key)


FILTERS = [
    query_filters.is_,
    query_filters.is_not,
    query_filters.contains,
    query_filters.does_not_contain,
    query_filters.matches,
    query_filters.does_not_match,
    query_filters.all_of,
    query_filters.any_of,
    query_filters.negated,
    query_filters.has_done,
    query_filters.has_not_done,
    query_filters.in_segment,
    query_filters.prop,
]


@pytest.mark.parametrize("made", FILTERS)
def test_filters_are_made_or_refused(made: Callable[..., Any]) -> None:
    takes = inspect.signature(made).parameters
    many = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in takes.values())
    for value in HOSTILE:
        for arguments in [(value,), *([("page", value), (is_("page", "/a"), value)] if many else [])]:
            try:
                made(*arguments)
            except InvalidArgument:
                continue
    with pytest.raises(TypeError, match=rf"{made.__name__}\(\) got an unexpected keyword argument 'case'"):
        made(next(iter(takes)), case=False)


def test_a_filter_without_a_value_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="at least one value"):
        is_("page")
    with pytest.raises(InvalidArgument, match=r"values must be a text, not int"):
        is_("page", 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("client", [*BLOCKING, *AWAITED])
@pytest.mark.parametrize("token", ["s3cret\nx", "", "s3cret é", "s3cret ", "\ud800s3cret", b"s3cret", ["s3cret"], 3])
def test_a_token_that_is_none_is_not_shown(client: type[Any], token: Any) -> None:
    with pytest.raises(InvalidArgument, match="token") as caught:
        client("http://server.test", token)
    assert "s3cret" not in "".join(traceback.format_exception_only(caught.value))
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("client", [CountApi, AsyncGoatCounter])
@pytest.mark.parametrize(
    "url",
    [
        "",
        "s3cret",
        "127.0.0.1:8080",
        "ftp://server.test",
        "http://",
        "http:///x",
        "http://[::1",
        "http://server.test:99999",
        "http://server.test:-1",
        "http://server.test:x",
        "http://server..test",
        f"http://{'a' * 64}.test",
        "http://\ud800",
        "https://xn--a",
        "http://server.test/\n",
        f"http://server.test/{'a' * 70_000}",
        "http://server.test?x=1",
        "http://server.test#x",
        None,
        3,
        b"http://server.test",
    ],
)
def test_an_address_that_is_none(client: type[Any], url: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"address|url") as caught:
        client(url, "t")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://server.test", "http://[::1]:8080/", "https://bücher.test/a/b", "http://1.2.3.4:1"]
)
def test_an_address_that_is_one(url: str) -> None:
    CountApi(url).close()


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"timeout": "1"},
        {"retries": -1},
        {"retries": None},
        {"retries": 1.5},
        {"idempotent": "yes"},
        {"headers": {"a b": "c"}},
        {"headers": {"a": "é"}},
        {"headers": {"a": "b\nc"}},
        {"headers": {"a": 3}},
        {"headers": ["a"]},
        {"transport": 3},
    ],
)
@pytest.mark.parametrize("client", [CountApi, AsyncCountTogether])
def test_options_that_make_no_client(client: type[Any], options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(options)).rstrip("s")):
        client("http://server.test", **options)


def test_unknown_options_are_type_errors() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'retry'"):
        CountApi("http://server.test", retry=3)  # type: ignore[call-arg]


RESPONSES = [
    httpx.Response(200, content=b"[" * 100_000),
    httpx.Response(200, content=b'{"value": "\xff"}'),
    httpx.Response(200, content=b'{"value": 1e999}'),
    httpx.Response(400, content=b"[" * 100_000),
    httpx.Response(400, content=b'{"error": "\xff"}'),
]


@pytest.mark.parametrize("client", [*BLOCKING, *AWAITED])
@pytest.mark.parametrize("response", RESPONSES)
def test_a_response_of_another_form_is_an_error_of_the_client(client: type[Any], response: httpx.Response) -> None:
    calls: dict[str, Any] = {
        "hit": {"key": "a"},
        "add": {"additions": [Addition("a", "b")]},
        "ask": {"metrics": ["visitors"]},
        "ask_funnel": {"funnel": "a"},
        "increment": {"counter": "a"},
        "counters": {},
    }
    made = [name for name in calls if hasattr(client, name)]
    assert made
    for name in made:
        script = Script(response)
        with opened(client, script) as api, pytest.raises((UnexpectedAnswer, BadRequest)):
            getattr(api, name)(**calls[name])


@pytest.mark.parametrize("client", [GoatCounter, AsyncGoatCounter])
def test_a_header_of_another_form_is_an_error_of_the_client(client: type[Any]) -> None:
    script = Script(httpx.Response(200, json={}, headers={"X-Goatcounter-Filter": "a"}))
    with opened(client, script) as api, pytest.raises(UnexpectedAnswer):
        api.count([Hit(path="/")])


@pytest.mark.parametrize("client", [CountApi, AsyncCountApi])
def test_a_response_that_cannot_be_decompressed(client: type[Any]) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        broken = httpx.ByteStream(b"x" + gzip.compress(b"{}"))
        return httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=broken)

    with opened(client, answer) as api, pytest.raises(UnexpectedAnswer, match="decompressed"):
        api.hit("visits")


@pytest.mark.parametrize("client", [CountApi, AsyncCountApi])
def test_other_errors_of_a_connection_are_errors_of_the_client(client: type[Any]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        msg = "Can't send data when our state is ERROR"
        raise httpx.LocalProtocolError(msg, request=request)

    with opened(client, answer) as api, pytest.raises(ConnectionLost):
        api.hit("visits")


def test_a_password_in_the_address_is_not_shown() -> None:
    script = Script(httpx.Response(200, text="<html>"))
    with (
        CountApi("http://ada:s3cret@server.test", transport=httpx.MockTransport(script)) as api,
        pytest.raises(UnexpectedAnswer) as caught,
    ):
        api.hit("visits")
    assert str(caught.value) == "http://server.test/hit/visits answered 200: <html>"
