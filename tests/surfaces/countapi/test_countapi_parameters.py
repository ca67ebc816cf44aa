"""What create, update and set make of their parameters, row by row."""

from typing import Any
from uuid import UUID

import pytest

from support.asking import Answer, ask, new_name
from support.server import RunningServer
from tallystick.model.counter import INT64_MAX, INT64_MIN


def create(server: RunningServer, query: str = "") -> str:
    """Make a key in a namespace of its own; its path."""
    namespace = new_name()
    answer = ask(server.url, f"/create?namespace={namespace}&key=visits&{query}")
    assert answer.status == 200, answer
    return f"{namespace}/visits"


def info(server: RunningServer, path: str) -> dict[str, Any]:
    told: dict[str, Any] = ask(server.url, f"/info/{path}").json()
    return told


def error(message: str) -> tuple[int, dict[str, str]]:
    return 400, {"error": message}


def shown(answer: Answer) -> tuple[int, Any]:
    return answer.status, answer.json()


# create


def test_create_needs_nothing(either_server: RunningServer) -> None:
    answer = ask(either_server.url, "/create")
    created = answer.json()
    assert answer.status == 200
    assert list(created) == ["namespace", "key", "value"]
    assert (created["namespace"], created["value"]) == ("default", 0)
    assert str(UUID(created["key"])) == created["key"]
    assert UUID(created["key"]).version == 4
    assert answer.path == f"default/{created['key']}"
    told = info(either_server, created["key"])
    assert (told["update_lowerbound"], told["update_upperbound"], told["enable_reset"]) == (-1, 1, False)


def test_create_gives_another_uuid_each_time(either_server: RunningServer) -> None:
    created = [ask(either_server.url, f"/create{query}").json()["key"] for query in ("", "/", "?key=", "?key=&key=abc")]
    assert len(set(created)) == 4


def test_create_with_a_namespace_only(either_server: RunningServer) -> None:
    namespace = new_name()
    answer = ask(either_server.url, f"/create?namespace={namespace}")
    assert answer.path == f"{namespace}/{answer.json()['key']}"


CREATED: list[tuple[str, dict[str, Any]]] = [
    ("", {"value": 0, "update_lowerbound": -1, "update_upperbound": 1, "enable_reset": False}),
    ("value=&enable_reset=&update_lowerbound=&update_upperbound=", {"value": 0, "update_lowerbound": -1}),
    ("value=null&update_lowerbound=null&update_upperbound=null", {"value": 0, "update_upperbound": 1}),
    ("value=undefined&update_lowerbound=undefined", {"value": 0, "update_lowerbound": -1}),
    ("value", {"value": 0}),
    ("value=42", {"value": 42}),
    ("value=-42", {"value": -42}),
    ("value=+42", {"value": 42}),
    ("value=%2B42", {"value": 42}),
    ("value=%2042%20", {"value": 42}),
    ("value=-0", {"value": 0}),
    (f"value={INT64_MAX}", {"value": INT64_MAX}),
    (f"value={INT64_MIN}", {"value": INT64_MIN}),
    ("value=" + "0" * 5_000 + "7", {"value": 7}),
    ("update_lowerbound=0&update_upperbound=0", {"update_lowerbound": 0, "update_upperbound": 0}),
    ("update_lowerbound=-9&update_upperbound=9", {"update_lowerbound": -9, "update_upperbound": 9}),
    (
        f"update_lowerbound={INT64_MIN}&update_upperbound={INT64_MAX}",
        {"update_lowerbound": INT64_MIN, "update_upperbound": INT64_MAX},
    ),
    *((f"enable_reset={text}", {"enable_reset": True}) for text in ("1", "true", "True", "TRUE", "%201")),
    *(
        (f"enable_reset={text}", {"enable_reset": False})
        for text in ("0", "false", "False", "", "null", "undefined", "%20")
    ),
    ("enable_reset", {"enable_reset": False}),
]


@pytest.mark.parametrize(("query", "expected"), CREATED, ids=[row[0][:40] for row in CREATED])
def test_create_makes_what_is_asked(either_server: RunningServer, query: str, expected: dict[str, Any]) -> None:
    told = info(either_server, create(either_server, query))
    assert {name: told[name] for name in expected} == expected


WHOLE, RANGE = "{} must be a whole number", "{} must lie within the signed 64-bit range"
NO_NUMBERS = [
    *("NaN", "Infinity", "-Infinity", "5.5", "5.0", "5.", ".5", "1e3", "1e%2B21", "1e+21", "0x10", "0b1", "1_000"),
    *(
        "1,000",
        "five",
        "--5",
        "%2B-5",
        "-%205",
        "%C2%A05",
        "%095",
        "5%0A",
        "5%205",
        "5;",
        "%E2%88%9E",
        "%EF%BC%95",
        "%D9%A3",
        "%C2%B2",
        "true",
        "[]",
    ),
    *("%00", "5%00", "%FF", "'5'", "$5", "None", "NULL"),
]
TOO_LARGE = [str(INT64_MAX + 1), str(INT64_MIN - 1), "1" + "0" * 40, "-" + "9" * 8_000]

REFUSED_CREATIONS: list[tuple[str, str]] = [
    ("update_upperbound=-1", "update_upperbound must be positive"),
    ("update_lowerbound=1", "update_lowerbound must be negative"),
    ("update_lowerbound=1&update_upperbound=-1", "update_lowerbound must be negative"),
    ("update_lowerbound=2&update_upperbound=5", "update_lowerbound must be negative"),
    ("enable_reset=yes", "enable_reset must be 0 or 1"),
    ("enable_reset=2", "enable_reset must be 0 or 1"),
    ("enable_reset=-1", "enable_reset must be 0 or 1"),
    *((f"value={text}", WHOLE.format("value")) for text in NO_NUMBERS),
    *((f"value={text}", RANGE.format("value")) for text in TOO_LARGE),
    ("update_lowerbound=low", WHOLE.format("update_lowerbound")),
    (f"update_lowerbound={INT64_MIN - 1}", RANGE.format("update_lowerbound")),
    ("update_upperbound=1e21", WHOLE.format("update_upperbound")),
    (f"update_upperbound={INT64_MAX + 1}", RANGE.format("update_upperbound")),
    # Names are looked at first.
    ("key=ab&update_upperbound=-1", "Malformed Namespace/Key"),
    ("namespace=ab&value=NaN", "Malformed Namespace/Key"),
]


@pytest.mark.parametrize(("query", "message"), REFUSED_CREATIONS, ids=[row[0][:40] for row in REFUSED_CREATIONS])
def test_create_refuses_and_makes_nothing(either_server: RunningServer, query: str, message: str) -> None:
    key = new_name()
    assert shown(ask(either_server.url, f"/create?{query}&key={key}")) == error(message)
    assert ask(either_server.url, f"/get/{key}").status == 404


def test_create_leaves_an_existing_key_as_it_is(either_server: RunningServer) -> None:
    path = create(either_server, "value=5&update_upperbound=7")
    before = info(either_server, path)
    namespace, key = path.split("/")
    answer = ask(either_server.url, f"/create?namespace={namespace}&key={key}&value=9&enable_reset=1")
    assert shown(answer) == (409, {"namespace": None, "key": None, "value": None})
    assert answer.path == path
    after = info(either_server, path)
    assert {**after, "ttl": None} == {**before, "ttl": None}
    assert after["ttl"] <= before["ttl"]


# update

CHANGED = [
    *(("5", 15), ("-5", 5), ("+5", 15), ("%2B5", 15), ("%205%20", 15), ("007", 17), ("0", 10), ("-0", 10), ("-007", 3)),
    *(("100", 110), ("-100", -90), ("0" * 5_000 + "5", 15), ("-" + "0" * 50 + "5", 5)),
]


@pytest.mark.parametrize(("amount", "value"), CHANGED, ids=[row[0][:20] for row in CHANGED])
def test_update_adds_within_the_bounds(either_server: RunningServer, amount: str, value: int) -> None:
    path = create(either_server, "value=10&update_lowerbound=-100&update_upperbound=100")
    assert shown(ask(either_server.url, f"/update/{path}?amount={amount}")) == (200, {"value": value})
    assert shown(ask(either_server.url, f"/get/{path}")) == (200, {"value": value})


OUT_OF_BOUNDS = ["101", "-101", "1" + "0" * 30, "-1" + "0" * 30, "9" * 5_000, *TOO_LARGE]


@pytest.mark.parametrize("amount", OUT_OF_BOUNDS, ids=lambda amount: amount[:40])
def test_update_refuses_amounts_beyond_the_bounds(either_server: RunningServer, amount: str) -> None:
    path = create(either_server, "value=10&update_lowerbound=-100&update_upperbound=100")
    assert shown(ask(either_server.url, f"/update/{path}?amount={amount}")) == (403, {"value": 10})
    assert shown(ask(either_server.url, f"/get/{path}")) == (200, {"value": 10})
    assert shown(ask(either_server.url, f"/update/{new_name()}?amount={amount}")) == (404, {"value": None})


@pytest.mark.parametrize("query", ["", "?", "?amount", "?amount=", "?amount=null", "?amount=undefined", "?Amount=1"])
def test_update_needs_an_amount(either_server: RunningServer, query: str) -> None:
    path = create(either_server, "value=10")
    for target in (path, new_name()):
        assert shown(ask(either_server.url, f"/update/{target}{query}")) == error("amount is missing")
    assert ask(either_server.url, f"/get/{path}").json() == {"value": 10}


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_update_and_set_take_whole_numbers_only(either_server: RunningServer, text: str) -> None:
    path = create(either_server, "value=10&enable_reset=1")
    assert shown(ask(either_server.url, f"/update/{path}?amount={text}")) == error(WHOLE.format("amount"))
    assert shown(ask(either_server.url, f"/set/{path}?value={text}")) == error(WHOLE.format("value"))
    assert shown(ask(either_server.url, f"/get/{path}")) == (200, {"value": 10})


# set


@pytest.mark.parametrize("query", ["", "?value", "?value=", "?value=null", "?value=undefined", "?amount=1"])
def test_set_needs_a_value(either_server: RunningServer, query: str) -> None:
    path = create(either_server, "value=10&enable_reset=1")
    for target in (path, new_name()):
        assert shown(ask(either_server.url, f"/set/{target}{query}")) == error("value is missing")
    assert ask(either_server.url, f"/get/{path}").json() == {"value": 10}


@pytest.mark.parametrize("value", [0, 1, -1, 2**31, 2**53 + 1, -(2**53) - 1, INT64_MAX, INT64_MIN])
def test_set_takes_every_number_of_64_bits_whatever_the_bounds(either_server: RunningServer, value: int) -> None:
    path = create(either_server, "value=10&enable_reset=1&update_lowerbound=0&update_upperbound=0")
    assert shown(ask(either_server.url, f"/set/{path}?value={value}")) == (200, {"old_value": 10, "value": value})
    assert ask(either_server.url, f"/get/{path}").text == f'{{"value":{value}}}'


@pytest.mark.parametrize("text", TOO_LARGE, ids=lambda text: text[:40])
def test_set_refuses_what_64_bits_cannot_hold(either_server: RunningServer, text: str) -> None:
    path = create(either_server, "value=10&enable_reset=1")
    assert shown(ask(either_server.url, f"/set/{path}?value={text}")) == error(RANGE.format("value"))
    assert ask(either_server.url, f"/get/{path}").json() == {"value": 10}


# 64 bits

LEAVES_RANGE = error("The value would leave the signed 64-bit range. It is unchanged.")


def test_the_range_is_never_wrapped(either_server: RunningServer) -> None:
    top = create(either_server, f"value={INT64_MAX - 1}&update_lowerbound={INT64_MIN}&update_upperbound={INT64_MAX}")
    assert ask(either_server.url, f"/hit/{top}").text == '{"value":9223372036854775807}'
    for target in (f"/hit/{top}", f"/update/{top}?amount=1", f"/update/{top}?amount={INT64_MAX}"):
        answer = ask(either_server.url, target)
        assert shown(answer) == LEAVES_RANGE
        assert answer.path == top
    assert ask(either_server.url, f"/get/{top}").json() == {"value": INT64_MAX}
    assert ask(either_server.url, f"/update/{top}?amount={INT64_MIN}").json() == {"value": -1}

    bottom = create(either_server, f"value={INT64_MIN}&update_lowerbound={INT64_MIN}&update_upperbound={INT64_MAX}")
    for amount in (-1, INT64_MIN):
        assert shown(ask(either_server.url, f"/update/{bottom}?amount={amount}")) == LEAVES_RANGE
    assert ask(either_server.url, f"/update/{bottom}?amount={INT64_MAX}").json() == {"value": -1}


def test_values_beyond_what_javascript_counts_stay_exact(either_server: RunningServer) -> None:
    path = create(either_server, f"value={2**53}")
    for expected in ("9007199254740993", "9007199254740994"):
        assert ask(either_server.url, f"/hit/{path}").text == f'{{"value":{expected}}}'
    assert ask(either_server.url, f"/get/{path}?callback=show").text.startswith('/**/show({"value":9007199254740994,')
