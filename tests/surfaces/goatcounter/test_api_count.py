"""Hits told through the API: every form of a field, what is refused, and requests that are sent twice."""

import asyncio
import hashlib
import json
import threading
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.analytics import FIREFOX, Analytics
from support.asking import Answer
from support.warehouses import rows
from tallystick.errors import StoreFailed
from tallystick.services.accounts.tokens import all_tokens
from tallystick.surfaces.goatcounter.wire import decoding
from tallystick.warehouse import IdempotencyRecord

OK = (202, b'{"status":"ok"}')
NO_SESSION = "session or browser/IP not set; use no_sessions if you don't want to track unique visits"
VISITOR = {"user_agent": FIREFOX, "ip": "192.0.2.1"}


async def count(analytics: Analytics, *hits: dict[str, Any], key: str | None = None, **told: Any) -> Answer:
    headers = {} if key is None else {"idempotency-key": key}
    return await analytics.api("POST", "/count", json={"no_sessions": True, "hits": hits, **told}, headers=headers)


async def test_hits_are_stored_in_their_order(analytics: Analytics) -> None:
    answer = await count(analytics, {"path": "/a"}, {"path": "signup", "event": True}, {"path": "/a"})
    assert (answer.status, answer.body) == OK
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert "x-goatcounter-filter" not in answer.headers
    hits = await analytics.hits()
    assert [(session, first, event) for _, _, session, first, event, _ in hits] == [
        (0, True, False),
        (0, True, True),
        (0, True, False),
    ]
    assert hits[0][1] == hits[2][1] != hits[1][1]


async def test_agent_and_address_make_a_session_and_so_does_the_senders_own(analytics: Analytics) -> None:
    other = {**VISITOR, "ip": "192.0.2.2"}
    told = [VISITOR, VISITOR, other, {"session": "x"}, {"session": "x", **other}]
    answer = await count(analytics, *({"path": "/a", **visitor} for visitor in told), no_sessions=False)
    assert (answer.status, answer.body) == OK
    hits = await analytics.hits()
    assert [first for _, _, _, first, _, _ in hits] == [True, False, True, True, False]
    assert len({session for _, _, session, *_ in hits}) == 3


FORMS: list[dict[str, Any]] = [
    # a field in each form in which clients are known to send it
    {"size": "1920"},
    {"size": "1920,1080,2"},
    {"size": [1920, 1080, 2]},
    {"size": [1920, 1080, 1.25]},
    {"size": []},
    {"size": ""},
    {"size": 1920},
    {"size": 1920.5},
    {"size": None},
    {"event": True},
    {"event": 1},
    {"event": "true"},
    {"event": "on"},
    {"event": "1"},
    {"event": "off"},
    {"event": 0},
    {"bot": 0},
    {"bot": 1},
    {"bot": 153},
    {"bot": 10**18},
    {"bot": None},
    {"created_at": "2020-06-18T14:42:00Z"},
    {"created_at": "2020-06-18T16:42:00.123456789+02:00"},
    {"created_at": "0001-01-01T00:00:00Z"},
    {"created_at": "1991-08-06T00:00:00Z"},
    {"created_at": None},
    {"created_at": "2016-12-31T23:59:60Z"},
    {"created_at": "2016-12-31T23:59:60.5+00:00"},
    {"title": None, "ref": None, "query": None, "location": None, "session": None},
    {"ref": "https://example.com/x", "query": "?utm_source=news", "title": "Titel"},
    {"location": "US-TX", "language": "en-GB"},
    {"location": "nowhere", "language": "silly value"},
    {"ip": "no address", "user_agent": ""},
    {"user_agent": "Mozilla/5.0 (X11; Linux x86_64) " + "x" * 600},
    {"session": "x" * 5_000},
    {"title": "a\x00b"},
]


async def test_every_form_of_a_field_is_understood(analytics: Analytics) -> None:
    for number, fields in enumerate(FORMS, 1):
        answer = await count(analytics, {"path": "/a", **fields})
        assert (answer.status, answer.body) == OK, fields
        assert len(await analytics.hits()) == number, fields


SIZES = [
    # JSON, width
    (b'"1539,866,1.0399999618530273"', 1539),
    (b'"1745.4545454545455,982,1"', 1745),
    (b'"1920,"', 1920),
    (b'" 1920"', 1920),
    (b'"1920, 1080, 1, 1"', 1920),
    (b"[1920, 1080, 1.0399999618530273]", 1920),
    (b"[ 1920 ]", 1920),
    (b'["1920", "1080"]', 1920),
    (b"[1920, null, {}, []]", 1920),
    (b"1920.5", 1920),
    (b"1e300", 0),
    (b"-1", 0),
    (b'"wide"', 0),
    (b'"\\ud83d"', 0),
    (b"[]", 0),
    (b"[null]", 0),
    (b'{"width": 1920}', 0),
    (b"true", 0),
    (b"null", 0),
    (b"1" * 400, 0),
]


async def test_no_size_costs_a_hit(analytics: Analytics) -> None:
    for size, width in SIZES:
        body = b'{"no_sessions": true, "hits": [{"path": "/a", "size": %b}, {"path": "/b"}]}' % size
        answer = await analytics.api("POST", "/count", json=body)
        assert (answer.status, answer.body) == OK, (size, width)
        assert (await analytics.widths())[-2:] == [width, 0], (size, width)


async def test_half_a_character_is_no_reason_to_lose_a_batch(analytics: Analytics) -> None:
    body = rb'{"no_sessions": true, "hits": [{"path": "/a", "title": "cut \ud83d"}, {"path": "/\ud83d\ude00"}]}'
    answer = await analytics.api("POST", "/count", json=body)
    assert (answer.status, answer.body) == OK
    known = analytics.services.names.path(analytics.site.id, "/a")
    assert known is not None
    assert known.title == "cut �"


HALVES = [
    # JSON text, what it becomes
    (rb"\ud83d", "?"),
    (rb"\ude00", "?"),
    (rb"\ud83d\ude00", "\N{GRINNING FACE}"),
    (rb"\uD83D\uDE00\uDE00", "\N{GRINNING FACE}?"),
    (rb"\ud83d\ud83d\ude00\ud83d", "?\N{GRINNING FACE}?"),
    (rb"a\\ud83d \ud83d", "a\\ud83d ?"),
    (rb"\\\ud83d\\\\ude00", "\\?\\\\ude00"),
    (rb"\"\ud83d\"", '"?"'),
]


@pytest.mark.parametrize("filling", [b"", b" " * 70_000], ids=["short", "long"])
@pytest.mark.parametrize(("sent", "kept"), HALVES)
async def test_halves_of_characters_are_replaced(analytics: Analytics, sent: bytes, kept: str, filling: bytes) -> None:
    body = b'{"no_sessions": true, "hits": [{"path": "/a", "title": "\\ud83dx%b"}]%b}' % (sent, filling)
    answer = await analytics.api("POST", "/count", json=body)
    assert (answer.status, answer.body) == OK
    known = analytics.services.names.path(analytics.site.id, "/a")
    assert known is not None
    assert known.title == "\N{REPLACEMENT CHARACTER}x" + kept.replace("?", "\N{REPLACEMENT CHARACTER}")


@given(st.lists(st.sampled_from([rb"\ud83d", rb"\ude00", rb"\\", rb"\"", rb"\u00fc", b"x", b"d83d"]), max_size=60))
def test_halves_are_found_wherever_a_slice_ends(pieces: list[bytes]) -> None:
    body = b'{"a":"%b"}' % b"".join(pieces)
    whole = json.dumps(json.loads(body), ensure_ascii=False).encode("utf-16-le", "surrogatepass")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(decoding, "SLICE", 7)
        mended = decoding._with_whole_characters(body)  # noqa: SLF001  # short slices
    assert msgspec.json.decode(mended) == json.loads(whole.decode("utf-16-le", "replace"))


LONG_BODIES = [
    (b'{"hits": [{"path": "/a", "title": "%b"}]}' % (rb"\ud83d" * 1_000_000), 400),
    (b'{"no_sessions": true, "hits": [{"path": "/a", "query": "%b"}]}' % (rb"\ud83d" * 1_000_000), 202),
    (b'{"hits": [%b{}]}' % (b"{}," * 2_000_000), 400),
    (b'{"filter": [%b""], "hits": []}' % (b'"",' * 2_000_000), 400),
    (b'{"hits": [{"path": "/a", "size": [%b1]}]}' % (b"1," * 3_000_000), 400),
    (b'{"hits": [{"path": "\\ud83d%b"}]}' % (rb"\\" * 3_000_000), 400),
]


@pytest.mark.parametrize(("body", "status"), LONG_BODIES, ids=["title", "query", "hits", "filter", "size", "slashes"])
async def test_long_bodies_are_decoded_beside_the_event_loop_or_refused(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch, body: bytes, status: int
) -> None:
    threads = []
    decode = decoding._body_as  # noqa: SLF001

    def decoded(kind: Any, body: bytes) -> Any:
        threads.append(threading.current_thread())
        return decode(kind, body)

    monkeypatch.setattr(decoding, "_body_as", decoded)
    answer = await analytics.api("POST", "/count", json=body)
    assert answer.status == status, answer.body[:200]
    assert threading.current_thread() not in threads


REFUSED = [
    # body, status, error
    (b"", 400, "no hits"),
    (b"{}", 400, "no hits"),
    (b'{"hits": []}', 400, "no hits"),
    (b'{"hits": null}', 400, "no hits"),
    (b'{"hits": [%s]}' % b",".join([b'{"path": "/a"}'] * 501), 400, "maximum amount of pageviews in one batch is 500"),
    (b'{"hits": [{"path": "/a"}], "filter": ["ip", "x"]}', 400, "unknown value in Filter: [x]"),
    (b'{"hits": [{"path": "/a"}], "filter": ["x", "y"]}', 400, "unknown value in Filter: [x y]"),
    (b'{"hits": [{"path": "/a", "pth": 1}]}', 400, 'unknown parameter: "pth"'),
    (b'{"Hits": []}', 400, 'unknown parameter: "Hits"'),
    (b'{"a\\"b": []}', 400, 'unknown parameter: "a\\"b"'),
    (b'{hits: [{path: "/one"}, ...]}', 400, "invalid JSON: "),
    (b"[]", 400, "invalid JSON: "),
    (b"\xff", 400, "invalid JSON: "),
    (b'{"hits": [{"path": "\xed\xa0\x80"}]}', 400, "invalid JSON: "),
    (b'{"hits": [{"path": "\\ud800"]}', 400, "invalid JSON: "),
    (b"[" * 100_000, 400, "invalid JSON: "),
    (b'"\\u' + b"[" * 100_000, 400, "invalid JSON: "),
    (b'{"hits": [{"path": 1}]}', 400, "invalid JSON: "),
    (b'{"hits": [{"path": "/a", "event": null}]}', 400, "invalid JSON: "),
    (b'{"hits": [{"path": "/a", "event": "maybe"}]}', 400, "invalid JSON: hits[0].event: the value cannot be read"),
    (b'{"hits": [{"path": "/a", "event": 2}]}', 400, "invalid JSON: hits[0].event: the value cannot be read"),
    (b'{"hits": [{"path": "/a", "created_at": "yesterday"}]}', 400, "invalid JSON: "),
    (b'{"hits": [{"path": "/a", "created_at": "2020-06-18"}]}', 400, "invalid JSON: "),
    (
        b'{"hits": [{"path": "/a"}, {"created_at": "2020-06-18T14:42:00"}]}',
        400,
        "invalid JSON: hits[1].created_at: the value cannot be read",
    ),
]


async def test_a_request_that_makes_no_sense_stores_nothing(analytics: Analytics) -> None:
    for body, status, error in REFUSED:
        answer = await analytics.api("POST", "/count", json=body)
        assert (answer.status, list(answer.json())) == (status, ["error"]), (body, status, error)
        told = answer.json()["error"]
        assert told[: len(error)] == error, (body, status, error)
        assert error in (told, "invalid JSON: "), (body, status, error)
        assert await analytics.hits() == [], (body, status, error)


async def test_hits_that_are_wrong_are_told_by_index_and_the_others_are_stored(analytics: Analytics) -> None:
    answer = await count(
        analytics,
        {"path": "/a", **VISITOR},
        {"path": "", **VISITOR},
        {"path": "/b"},
        {"path": "/" + "x" * 2048, "title": "x" * 1025, **VISITOR},
        {"path": "/c", "created_at": "2100-01-01T00:00:00Z", **VISITOR},
        {"path": "/d", "created_at": "0001-06-01T00:00:00Z", **VISITOR},
        {"path": "", "event": True, **VISITOR},
        no_sessions=False,
    )
    assert answer.status == 400
    assert answer.body.decode() == (
        '{\n  "errors": {\n'
        '    "1": "path: must be set, must be longer than 1 characters.",\n'
        f'    "2": "{NO_SESSION}",\n'
        '    "3": "path: must be shorter than 2048 characters.\\ntitle: must be shorter than 1024 characters.\\n",\n'
        '    "4": "created_at: in the future.",\n'
        '    "5": "created_at: older than the web: must be after 1991-08-06."\n'
        "  }\n}\n"
    )
    assert [event for *_, event, _ in await analytics.hits()] == [False, True]
    assert analytics.services.names.path(analytics.site.id, "(no event name)") is not None


async def test_hits_of_ignored_addresses_are_told_in_a_header(analytics: Analytics) -> None:
    await analytics.change_site(ignore_ips=("192.0.2.1", "2001:db8::/32"))
    addresses = ["192.0.2.1", "192.0.2.2", "2001:DB8:0::1", "192.0.2.1"]
    hits = [{"path": "/a", "ip": address, "user_agent": FIREFOX} for address in addresses]
    answer = await count(analytics, *hits)
    assert (answer.status, answer.body, answer.headers["x-goatcounter-filter"]) == (*OK, "0, 2, 3")
    assert len(await analytics.hits()) == 1
    for off, stored in (({"filter": []}, 5), ({"filter": ["ip"]}, 6), ({"filter": None}, 7)):
        answer = await count(analytics, *hits, **off)
        assert len(await analytics.hits()) == stored, off


async def test_hits_that_rules_of_the_site_leave_out_are_told_in_the_same_header(analytics: Analytics) -> None:
    await analytics.change_site(ignore_paths=("/admin*",), ignore_countries=("NL",), ignore_campaigns=("spring",))
    hits = [
        {"path": "/a"},
        {"path": "/admin/x"},
        {"path": "/b", "location": "NL"},
        {"path": "/c", "query": "campaign=spring"},
    ]
    answer = await count(analytics, *hits)
    assert (answer.status, answer.body, answer.headers["x-goatcounter-filter"]) == (*OK, "1, 2, 3")
    assert len(await analytics.hits()) == 1
    answer = await count(analytics, *hits, filter=[])
    assert "x-goatcounter-filter" not in answer.headers
    assert len(await analytics.hits()) == 5


async def test_a_refusal_tells_what_was_filtered_too(analytics: Analytics) -> None:
    await analytics.change_site(ignore_ips=("192.0.2.1",))
    answer = await count(analytics, {"path": "/a", "ip": "192.0.2.1"}, {"path": ""})
    assert (answer.status, answer.headers["x-goatcounter-filter"]) == (400, "0")
    assert list(answer.json()["errors"]) == ["1"]


async def test_bots_are_kept_and_answered_like_people(analytics: Analytics) -> None:
    answer = await count(analytics, {"path": "/a", "bot": 150}, {"path": "/a", "user_agent": "Googlebot/2.1 (x)"})
    assert (answer.status, answer.body) == OK
    assert [bot for *_, bot in await analytics.hits()] == [150, 6]


async def test_five_hundred_hits_are_one_request(analytics: Analytics) -> None:
    answer = await count(analytics, *({"path": f"/{number % 50}"} for number in range(500)))
    assert (answer.status, answer.body) == OK
    assert len(await analytics.hits()) == 500


async def test_a_repeated_key_stores_nothing_twice_and_answers_the_same(analytics: Analytics) -> None:
    await analytics.change_site(ignore_ips=("192.0.2.1",))
    hits = [{"path": "/a"}, {"path": ""}, {"path": "/b", "ip": "192.0.2.1"}]
    first = await count(analytics, *hits, key="k")
    analytics.clock.advance(seconds=3_600)
    second = await count(analytics, *hits, key="k")
    assert (first.status, first.body) == (second.status, second.body)
    assert first.headers["x-goatcounter-filter"] == second.headers["x-goatcounter-filter"] == "2"
    assert len(await analytics.hits()) == 1
    assert (await count(analytics, *hits, key="another")).status == 400
    assert len(await analytics.hits()) == 2


async def test_a_key_is_good_for_one_request(analytics: Analytics) -> None:
    await count(analytics, {"path": "/a"}, key="k")
    answer = await count(analytics, {"path": "/b"}, key="k")
    assert (answer.status, answer.json()) == (422, {"error": "this Idempotency-Key was used for another request"})
    assert len(await analytics.hits()) == 1


async def test_a_key_belongs_to_its_token(analytics: Analytics) -> None:
    other = await analytics.new_token()
    body = {"no_sessions": True, "hits": [{"path": "/a"}]}
    for token in (analytics.token, other):
        await analytics.api("POST", "/count", json=body, headers={"idempotency-key": "1"}, token=token)
    assert len(await analytics.hits()) == 2


async def test_a_request_that_is_sent_again_while_it_is_answered_is_refused(analytics: Analytics) -> None:
    answers = await asyncio.gather(*(count(analytics, {"path": "/a"}, key="k") for _ in range(10)))
    # One that comes when the first is stored already is answered with the record.
    stored = [answer for answer in answers if answer.status == 202 and "idempotent-replayed" not in answer.headers]
    refused = next(answer for answer in answers if answer.status == 409)
    assert {answer.status for answer in answers} == {202, 409}
    assert len(stored) == 1
    assert refused.headers["retry-after"] == "1"
    assert refused.json() == {
        "error": "the request with this Idempotency-Key is being carried out; try again in a second"
    }
    assert len(await analytics.hits()) == 1
    assert len(analytics.services.in_flight) == 0
    again = await count(analytics, {"path": "/a"}, key="k")
    assert (again.status, again.body, again.headers["idempotent-replayed"]) == (*OK, "true")


async def test_a_request_is_known_by_its_meaning_however_it_is_spelled(analytics: Analytics) -> None:
    large = b" " * 70_000  # decoded on a thread
    sent: list[tuple[str, str, bytes]] = [
        ("/count", '"short"', b'{"no_sessions": true, "hits": [{"path": "/a", "title": "A"}]}'),
        ("/count/", "short", b'{"hits":[{"title":"A","path":"\\u002fa"}],"no_sessions":true}'),
        ("/count", "large", b'{"no_sessions": true, "hits": [{"path": "/a"}]}' + large),
        ("/count?a=1", "large", large + b'{"hits": [{"path": "/a"}], "no_sessions": true}'),
    ]
    answers = [
        await analytics.api("POST", path, json=body, headers={"idempotency-key": key}) for path, key, body in sent
    ]
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, "true", None, "true"]
    assert {answer.status for answer in answers} == {202}
    assert len(await analytics.hits()) == 2


async def test_what_an_older_version_recorded_is_replayed(analytics: Analytics) -> None:
    """Such a version knew a request by its token, site and key as they were sent, and by the bytes of its body."""
    [token] = await analytics.services.ledger.read(all_tokens)
    body = b'{"no_sessions": true, "hits": [{"path": "/a"}]}'
    fingerprint = hashlib.blake2b(body, digest_size=16).hexdigest()
    answer = '{"errors":{"0":"wrong"},"filtered":[],"notes":{}}'
    passed = analytics.services.ledger.passed() // 1000
    record = IdempotencyRecord(f'{token.id}/{analytics.site.id}/"old"', fingerprint, answer, passed)
    await analytics.services.warehouse.append([], record)
    headers = {"idempotency-key": '"old"'}
    again = await analytics.api("POST", "/count", json=body, headers=headers)
    assert (again.status, again.json(), again.headers["idempotent-replayed"]) == (
        400,
        {"errors": {"0": "wrong"}},
        "true",
    )
    assert await analytics.hits() == []
    assert (await analytics.api("POST", "/count", json=body + b" ", headers=headers)).status == 422


async def test_a_request_of_which_nothing_is_stored_is_remembered_too(analytics: Analytics) -> None:
    await count(analytics, {"path": ""}, key="k")
    assert (await count(analytics, {"path": "/a"}, key="k")).status == 422


async def test_what_failed_may_be_tried_again_under_its_key(
    analytics: Analytics, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        msg = "the disk failed"
        raise StoreFailed(msg)

    with monkeypatch.context() as patch:
        patch.setattr(analytics.services.warehouse, "append", fail)
        assert (await count(analytics, {"path": "/a"}, key="k")).status == 500
    assert (await count(analytics, {"path": "/a"}, key="k")).status == 202
    assert (await analytics.api("POST", "/count", json={}, headers={"idempotency-key": "n"})).status == 400
    assert (await count(analytics, {"path": "/a"}, key="n")).status == 202


@pytest.mark.parametrize("key", ["", "x" * 256, "a\x7fb"])
async def test_a_key_has_limits(analytics: Analytics, key: str) -> None:
    answer = await count(analytics, {"path": "/a"}, key=key)
    assert (answer.status, answer.json()) == (
        400,
        {"error": "Idempotency-Key must have 1 to 255 printable characters"},
    )


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [("2016-12-31T23:59:60Z", 1_483_228_800), ("2016-12-31T15:59:60.999-08:00", 1_483_228_800)],
)
async def test_a_leap_second_is_the_second_after_it(analytics: Analytics, sent: str, seconds: int) -> None:
    assert (await count(analytics, {"path": "/a", "created_at": sent})).status == 202
    assert await rows(analytics.services.warehouse, "created") == [(seconds,)]


@pytest.mark.parametrize(
    "sent",
    [
        "0001-01-01T00:00:01Z",
        "0001-01-01T00:00:00+02:00",
        "0001-06-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00Z",
        "1991-08-05T23:59:59Z",
    ],
)
async def test_a_time_older_than_the_web_is_an_error_of_its_hit(analytics: Analytics, sent: str) -> None:
    answer = await count(analytics, {"path": "/a", "created_at": sent}, {"path": "/b"})
    problem = "created_at: older than the web: must be after 1991-08-06."
    assert (answer.status, answer.json()) == (400, {"errors": {"0": problem}})
    assert len(await analytics.hits()) == 1


async def test_imports_are_told_what_was_dropped_and_what_bots_sent(analytics: Analytics) -> None:
    hits = [{"path": "/a"}, {"path": "/a", "bot": 5}, {"path": "/favicon.ico"}]
    body = {"no_sessions": True, "hits": hits}
    for _ in range(2):
        headers = {"x-goatcounter-import": "yes", "idempotency-key": "one"}
        answer = await analytics.api("POST", "/count", json=body, headers=headers)
        assert answer.headers["x-tallystick-notes"] == '{"ignored path":1,"bots":1}'
    assert "x-tallystick-notes" not in (await analytics.api("POST", "/count", json=body)).headers
