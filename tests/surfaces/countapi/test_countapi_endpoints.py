"""Every endpoint's answers, byte for byte: a story is a list of requests with status and body."""

import re

import pytest

from support.asking import ask, new_name
from support.server import RunningServer
from tallystick import __version__

Story = list[tuple[str, int, str]]

MISSING_INFO = (
    '{"namespace":null,"key":null,"ttl":null,"created":null,"update_lowerbound":null,'
    '"update_upperbound":null,"enable_reset":null,"value":null}'
)

STORIES: dict[str, Story] = {
    "a missing key can be asked for but only hit makes it": [
        ("/get/NS/KEY", 404, '{"value":null}'),
        ("/update/NS/KEY?amount=1", 404, '{"value":null}'),
        ("/set/NS/KEY?value=1", 404, '{"old_value":null,"value":null}'),
        (
            "/info/NS/KEY",
            404,
            MISSING_INFO,
        ),
        ("/get/NS/KEY", 404, '{"value":null}'),
        ("/hit/NS/KEY", 200, '{"value":1}'),
        ("/get/NS/KEY", 200, '{"value":1}'),
    ],
    "hit adds one": [
        ("/hit/NS/KEY", 200, '{"value":1}'),
        ("/hit/NS/KEY", 200, '{"value":2}'),
        ("/get/NS/KEY", 200, '{"value":2}'),
    ],
    "a key made by hit cannot go down, jump or be set": [
        ("/hit/NS/KEY", 200, '{"value":1}'),
        ("/update/NS/KEY?amount=1", 200, '{"value":2}'),
        ("/update/NS/KEY?amount=0", 200, '{"value":2}'),
        ("/update/NS/KEY?amount=-1", 403, '{"value":2}'),
        ("/update/NS/KEY?amount=2", 403, '{"value":2}'),
        ("/set/NS/KEY?value=9", 403, '{"old_value":2,"value":2}'),
        ("/get/NS/KEY", 200, '{"value":2}'),
    ],
    "create takes a key once": [
        ("/create?namespace=NS&key=KEY", 200, '{"namespace":"NS","key":"KEY","value":0}'),
        ("/create?namespace=NS&key=KEY", 409, '{"namespace":null,"key":null,"value":null}'),
        ("/create?namespace=NS&key=KEY&value=5", 409, '{"namespace":null,"key":null,"value":null}'),
        ("/get/NS/KEY", 200, '{"value":0}'),
    ],
    "create refuses a key that hit made": [
        ("/hit/NS/KEY", 200, '{"value":1}'),
        ("/create?namespace=NS&key=KEY", 409, '{"namespace":null,"key":null,"value":null}'),
    ],
    "the default bounds of create are one up and one down": [
        ("/create?namespace=NS&key=KEY&value=10", 200, '{"namespace":"NS","key":"KEY","value":10}'),
        ("/update/NS/KEY?amount=-1", 200, '{"value":9}'),
        ("/update/NS/KEY?amount=1", 200, '{"value":10}'),
        ("/update/NS/KEY?amount=2", 403, '{"value":10}'),
        ("/update/NS/KEY?amount=-2", 403, '{"value":10}'),
        ("/hit/NS/KEY", 200, '{"value":11}'),
        ("/set/NS/KEY?value=0", 403, '{"old_value":11,"value":11}'),
    ],
    "bounds of one's own are inclusive": [
        (
            "/create?namespace=NS&key=KEY&update_lowerbound=-5&update_upperbound=100",
            200,
            '{"namespace":"NS","key":"KEY","value":0}',
        ),
        ("/update/NS/KEY?amount=100", 200, '{"value":100}'),
        ("/update/NS/KEY?amount=101", 403, '{"value":100}'),
        ("/update/NS/KEY?amount=-5", 200, '{"value":95}'),
        ("/update/NS/KEY?amount=-6", 403, '{"value":95}'),
    ],
    "hit obeys an upper bound of zero": [
        ("/create?namespace=NS&key=KEY&update_upperbound=0&value=3", 200, '{"namespace":"NS","key":"KEY","value":3}'),
        ("/hit/NS/KEY", 403, '{"value":3}'),
        ("/update/NS/KEY?amount=-1", 200, '{"value":2}'),
    ],
    "set replaces the value of a resettable key, with any number": [
        ("/create?namespace=NS&key=KEY&enable_reset=1", 200, '{"namespace":"NS","key":"KEY","value":0}'),
        ("/set/NS/KEY?value=1000", 200, '{"old_value":0,"value":1000}'),
        ("/set/NS/KEY?value=-7", 200, '{"old_value":1000,"value":-7}'),
        ("/set/NS/KEY?value=-7", 200, '{"old_value":-7,"value":-7}'),
        ("/get/NS/KEY", 200, '{"value":-7}'),
    ],
    "a slash at the end changes nothing": [
        ("/hit/NS/KEY/", 200, '{"value":1}'),
        ("/update/NS/KEY/?amount=1", 200, '{"value":2}'),
        ("/get/NS/KEY/", 200, '{"value":2}'),
        ("/set/NS/KEY/?value=1", 403, '{"old_value":2,"value":2}'),
        ("/create/?namespace=NS&key=KEY", 409, '{"namespace":null,"key":null,"value":null}'),
    ],
    "names are told apart by case": [
        ("/hit/NS/KEY", 200, '{"value":1}'),
        ("/hit/NS/KEY-a", 200, '{"value":1}'),
        ("/get/NS/KEY-A", 404, '{"value":null}'),
        ("/get/NS-A/KEY", 404, '{"value":null}'),
    ],
    "parameters that nobody knows are ignored": [
        ("/hit/NS/KEY?amount=50&value=3&x&=&&y=1=2", 200, '{"value":1}'),
        ("/create?namespace=NS&key=KEY&expiration=60", 409, '{"namespace":null,"key":null,"value":null}'),
    ],
    "of a repeated parameter the first counts": [
        ("/create?namespace=NS&key=KEY&key=other&value=3&value=4", 200, '{"namespace":"NS","key":"KEY","value":3}'),
        ("/update/NS/KEY?amount=-1&amount=1", 200, '{"value":2}'),
    ],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_story(either_server: RunningServer, story: Story) -> None:
    namespace, key = new_name(), new_name()
    for row in story:
        status = row[1]
        target, body = (text.replace("NS", namespace).replace("KEY", key) for text in (row[0], row[2]))
        answer = ask(either_server.url, target)
        assert (answer.status, answer.text, answer.path) == (status, body, path_of(target)), row


def path_of(target: str) -> str:
    """What ``X-Path`` should say about a request that names namespace and key."""
    if target.startswith("/create"):
        return "/".join(re.findall(r"(?:namespace|key)=([^&]+)", target)[:2])
    return target.partition("?")[0].removesuffix("/").split("/", 2)[2]


def test_without_a_namespace_a_key_lies_in_default(either_server: RunningServer) -> None:
    key = new_name()
    assert ask(either_server.url, f"/hit/{key}").path == f"default/{key}"
    for target in (f"/get/{key}", f"/get/{key}/", f"/get/default/{key}", f"/get/default/{key}/"):
        answer = ask(either_server.url, target)
        assert (answer.text, answer.path) == ('{"value":1}', f"default/{key}")
    assert ask(either_server.url, f"/create?key={key}").status == 409
    assert ask(either_server.url, f"/create?key={key}&namespace=default").status == 409
    assert ask(either_server.url, f"/get/Default/{key}").status == 404


def test_info_has_the_documented_fields_in_their_order(either_server: RunningServer) -> None:
    namespace, key = new_name(), new_name()
    ask(
        either_server.url,
        f"/create?namespace={namespace}&key={key}&value=3630&update_upperbound=10000&enable_reset=true",
    )
    answer = ask(either_server.url, f"/info/{namespace}/{key}")
    assert (answer.status, answer.path) == (200, f"{namespace}/{key}")
    shape = (
        rf'{{"namespace":"{namespace}","key":"{key}","ttl":[0-9]{{11}},"created":[0-9]{{13}},'
        r'"update_lowerbound":-1,"update_upperbound":10000,"enable_reset":true,"value":3630}'
    )
    assert re.fullmatch(shape, answer.text)


def test_info_of_a_key_that_hit_made_tells_its_narrow_rights(either_server: RunningServer) -> None:
    key = new_name()
    ask(either_server.url, f"/hit/{key}")
    told = ask(either_server.url, f"/info/{key}").json()
    assert (told["namespace"], told["key"]) == ("default", key)
    assert (told["update_lowerbound"], told["update_upperbound"], told["enable_reset"]) == (0, 1, False)


def test_stats_has_the_documented_fields_in_their_order(either_server: RunningServer) -> None:
    for target in ("/stats", "/stats/", "/stats?x=1"):
        answer = ask(either_server.url, target)
        assert (answer.status, answer.path) == (200, None)
        assert list(answer.json()) == ["keys_created", "keys_updated", "requests", "version"]
        assert answer.json()["version"] == __version__
        assert all(type(answer.json()[name]) is int for name in ("keys_created", "keys_updated", "requests"))


NO_ENDPOINT = '{"error":"not found: there are get, set, update, hit, create, info and stats"}'


@pytest.mark.parametrize(
    "target",
    [
        *("/some/unknown/path", "/hit", "/hit/", "/get/", "/create/visits", "/stats/visits", "/hit/aaa/bbb/ccc"),
        *("/HIT/visits", "/hits/visits", "//hit/visits", "//", "/hit/../get/visits", "/%20", "/wp-login.php"),
        *("/hit.json", "/robots.html", "/index.html?x=/hit/visits", "/hit?key=visits"),
    ],
)
def test_an_unknown_path_is_a_json_404(either_server: RunningServer, target: str) -> None:
    answer = ask(either_server.url, target)
    assert (answer.status, answer.text, answer.path) == (404, NO_ENDPOINT, None)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert "location" not in answer.headers
