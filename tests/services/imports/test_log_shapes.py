"""Lines as servers of many makes write them: each is one hit, whatever stands around what is used."""

import time
from typing import Any

import msgspec
import pytest

from tallystick.errors import InputRefused
from tallystick.model.hit import is_bot
from tallystick.services.imports.logs import Layouts, log_reader
from tallystick.services.imports.parsed import BadLine, ParsedHit, ParsedLine
from tallystick.services.ingest.agents import parse_agent
from tallystick.services.ingest.ingest import Arrival

AT = 1_740_162_257  # 2025-02-21T18:24:17Z
NOW = 1_800_000_000
TIME = "21/Feb/2025:18:24:17 +0000"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
REST = f'"GET /a HTTP/1.1" 200 5 "-" "{AGENT}"'
PLUS = AGENT.replace(" ", "+")
ONCE = AGENT.replace(" ", "%20")
TWICE = ONCE.replace("%", "%25")


def read(form: str, line: str | bytes, **layouts: str) -> ParsedLine | None:
    raw = line if isinstance(line, bytes) else line.encode()
    return log_reader(form, Layouts(**layouts), (), lambda: NOW)(1, raw)


def hit(form: str, line: str | bytes, **layouts: str) -> Arrival:
    item = read(form, line, **layouts)
    assert isinstance(item, ParsedHit), item
    return item.arrival


IDENTITIES = [
    f"192.0.2.26 -  -  [{TIME}] {REST}",
    f"192.0.2.26 - john doe [{TIME}] {REST}",
    f"192.0.2.26 ident john [doe] [{TIME}] {REST}",
    f'192.0.2.26 - - [{TIME}] "GET /a HTTP/1.1" 200 5  "-" "{AGENT}"',
    f'192.0.2.26  -  -  [{TIME}]  "GET /a HTTP/1.1"  200  5  "-"  "{AGENT}"',
    f'192.0.2.26 - - [{TIME}] "GET /a HTTP/1.1" 200 -  "-" "{AGENT}" 12',
    f"192.0.2.26 - CN=Ann, O=Example Ltd [{TIME}] {REST}",
]


@pytest.mark.parametrize("line", IDENTITIES)
def test_ident_and_user_may_be_any_words(line: str) -> None:
    for form, text in (("combined", line), ("combined-vhost", f"www.example.com {line}")):
        found = hit(form, text)
        assert (found.path, found.created, found.address, found.agent) == ("/a", AT, "192.0.2.26", AGENT)
    common = line.partition(' "-"')[0].rstrip().replace('  "-', "")
    assert hit("common", common).address == "192.0.2.26"
    assert hit("common-vhost", f"www.example.com {common}").address == "192.0.2.26"


@pytest.mark.parametrize("line", IDENTITIES[:4])
def test_so_may_they_in_a_format_of_ones_own(line: str) -> None:
    form = 'log:$remote_addr $ignore $ignore [$datetime] "$method $path $http" $status $size "$referrer" "$user_agent"'
    assert hit(form, line).path == "/a"
    nginx = form.replace("$ignore $ignore", "- $ignore")
    assert hit(nginx, f"192.0.2.26 - john doe [{TIME}] {REST}").agent == AGENT


def test_a_user_cannot_pretend_to_be_the_rest_of_the_line() -> None:
    line = rf"192.0.2.26 - x [01/Jan/2020:00:00:00 +0000] \x22GET /b [{TIME}] {REST}"
    assert isinstance(read("combined", line), BadLine)


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ("8.8.8.8, 10.0.0.1", "8.8.8.8"),
        ("8.8.8.8,10.0.0.1", "8.8.8.8"),
        ("8.8.8.8 , 10.0.0.1", "8.8.8.8"),
        ("10.0.0.1, 8.8.8.8, 192.168.0.1, 127.0.0.1", "8.8.8.8"),
        ("unknown, 8.8.8.8", "8.8.8.8"),
        ("8.8.8.8:4711, 10.0.0.1:80", "8.8.8.8"),
        ("2a00:1450::5, 10.0.0.1", "2a00:1450::5"),
        ("[2a00:1450::5]:443, [fe80::1]:80", "2a00:1450::5"),
        ("::ffff:8.8.8.8, 10.0.0.1", "::ffff:8.8.8.8"),
        ("8.8.8.8,%2010.0.0.1", "8.8.8.8"),
        ("10.0.0.1,%25208.8.8.8", "8.8.8.8"),
        ("8.8.8.8,+10.0.0.1", "8.8.8.8"),
        ("192.0.2.7, 10.0.0.1", "192.0.2.7"),
        ("8.8.8.8, unknown", "8.8.8.8"),
        ("8.8.8.8, _hidden", "8.8.8.8"),
    ],
)
def test_of_a_list_of_addresses_the_last_public_one_counts(addresses: str, expected: str) -> None:
    assert hit("combined", f"{addresses} - - [{TIME}] {REST}").address == expected
    assert hit("common", f'{addresses} - - [{TIME}] "GET /a HTTP/1.1" 200 5').address == expected
    assert hit("combined-vhost", f"www.example.com {addresses} - - [{TIME}] {REST}").address == expected
    assert hit("log:$remote_addr $datetime $path", f"{addresses} {TIME} /a").address == expected
    assert hit("log:$remote_addr\t$datetime\t$path", f"{addresses}\t{TIME}\t/a").address == expected
    assert hit("bunny", f"HIT|200|{AT}123|412|390|{addresses}|-|https://x.org/a|WA|-|3|DE").address == expected
    if expected != "192.0.2.7":
        assert (
            hit(f'log:$xff $remote_addr "$path" {"$datetime"}', f'{addresses} 10.0.0.9 "/a" {TIME}').address == expected
        )
        assert hit('log:"$xff" $datetime $path', f'"{addresses}" {TIME} /a').address == expected


def test_the_forwarded_address_comes_before_the_one_that_connected() -> None:
    form = 'log:$xff - - [$datetime] "$method $path $http" $remote_addr'
    line = f'8.8.8.8, 10.0.0.1 - - [{TIME}] "GET /a HTTP/1.1" '
    assert hit(form, f"{line}1.1.1.1").address == "8.8.8.8"
    assert hit(form, f'- - - [{TIME}] "GET /a HTTP/1.1" 1.1.1.1:80').address == "1.1.1.1"


IIS = "log:$date $time $ignore $method $path $query $ignore $ignore $remote_addr $user_agent $referrer $status"
CLOUDFRONT = (
    "log:$date\t$time\t$ignore\t$size\t$remote_addr\t$method\t$host\t$path\t$status\t$referrer\t$user_agent\t$query"
)


@pytest.mark.parametrize("agent", [PLUS, ONCE, TWICE])
def test_an_agent_whose_blanks_were_encoded_is_a_persons(agent: str) -> None:
    for found in (
        hit(IIS, f"2025-02-21 18:24:17 10.0.0.1 GET /a - 443 - 192.0.2.26 {agent} - 200"),
        hit(CLOUDFRONT, f"2025-02-21\t18:24:17\tFRA2\t5\t192.0.2.26\tGET\tx.org\t/a\t200\t-\t{agent}\t-"),
        hit("combined", f"192.0.2.26 - - [{TIME}] {REST}".replace(AGENT, agent)),
        hit("bunny", f"HIT|200|{AT}123|412|390|192.0.2.26|-|https://x.org/a|WA|{agent}|3|DE"),
        hit("caddy", caddy(headers={"User-Agent": [agent]})),
    ):
        assert (found.agent, found.path) == (AGENT, "/a")
        assert not is_bot(parse_agent(found.agent).bot)
        assert found.created == AT


@pytest.mark.parametrize(
    "agent", [AGENT, AGENT.replace("Linux", "Linux+"), "curl/8.0", "", "Mozilla/5.0 (100%25; 100%20; C++)"]
)
def test_an_agent_with_blanks_is_left_as_it_is(agent: str) -> None:
    assert hit("combined", f"192.0.2.26 - - [{TIME}] {REST}".replace(AGENT, agent or "-")).agent == agent


@pytest.mark.parametrize(
    "padding",
    [b" ", b"\0" * 9, b"\0 ", b"\xef\xbb\xbf", b"\0\0\xef\xbb\xbf", b"\xef\xbb\xbf\0", b"\xef\xbb\xbf\xef\xbb\xbf"],
    ids=repr,
)
def test_bytes_before_the_first_field_are_no_part_of_it(padding: bytes) -> None:
    line = f"192.0.2.26 - - [{TIME}] {REST}".encode()
    for ending in (b"", b"\n", b"\r\n", b"\0\n", b"\0"):
        assert hit("combined", padding + line + ending).address == "192.0.2.26"
    assert read("combined", padding + b"\n") is None
    assert hit("caddy", padding + caddy().encode()).address == "192.0.2.26"


@pytest.mark.parametrize(
    ("written", "path"),
    [
        (rb"/search?q=\xFC", "/search?q=%FC"),
        (rb"/search?q=\xe4", "/search?q=%E4"),
        (rb"/\xC3\xBCber", "/über"),
        (b"/search?q=\xfc", "/search?q=%FC"),
        ("/über".encode(), "/über"),
        ("/über".encode("latin-1"), "/%FCber"),
    ],
)
def test_a_path_keeps_bytes_that_are_no_utf_8_apart(written: bytes, path: str) -> None:
    line = f"192.0.2.26 - - [{TIME}] {REST}".encode().replace(b"/a", written)
    assert hit("combined", line).path == path
    assert hit('log:$datetime "$method $url $http"', f'{TIME} "GET '.encode() + written + b' HTTP/1.1"').path == path


def caddy(**fields: Any) -> str:
    request = {"client_ip": "192.0.2.26", "method": "GET", "uri": "/a", "proto": "HTTP/2.0"}
    line = {"ts": AT + 0.25, "status": 200, "size": 5, "msg": "handled request"}
    line |= {name: value for name, value in fields.items() if name in ("ts", "status", "size", "resp_headers")}
    line["request"] = {**request, **{name: value for name, value in fields.items() if name not in line}}
    return msgspec.json.encode(line).decode()


@pytest.mark.parametrize(
    ("layout", "written"),
    [
        ("unix_milli_float", AT * 1000 + 250.5),
        ("unix_milli", AT * 1000 + 250),
        ("unix_sec", AT + 0.25),
        ("unix_sec_float", AT + 0.25),
        ("unix_nano", AT * 10**9 + 17),
        ("rfc3339nano", "2025-02-21T18:24:17.123456789Z"),
        ("2006-01-02T15:04:05.000Z0700", "2025-02-21T19:24:17.000+0100"),
        ("02.01.2006 15:04:05", "21.02.2025 18:24:17"),
        (None, AT * 1000 + 250.5),
        (None, AT * 10**9 + 17),
        (None, "2025-02-21T18:24:17.123Z"),
        (None, "2025-02-21T18:24:17.123+0000"),
        (None, "2025/02/21 18:24:17"),
        (None, TIME),
    ],
)
def test_the_times_of_caddy_are_as_configured(layout: str | None, written: object) -> None:
    layouts = {"datetime": layout} if layout else {}
    assert hit("caddy", caddy(ts=written), **layouts).created == AT


@pytest.mark.parametrize("form", ["caddy", "combined", "common-vhost", "bunny", "log:$datetime $path"])
@pytest.mark.parametrize(
    "layout", ["nonsense", "rfc2822", "unix_millis", "rfc3339milli", "15:04:05", "iso8601", "2006"]
)
def test_a_layout_that_makes_no_sense_is_refused_in_every_format(form: str, layout: str) -> None:
    with pytest.raises(InputRefused, match=r"2006-01-02 15:04:05 .*rfc3339.*unix_milli_float"):
        read(form, "", datetime=layout)


@pytest.mark.parametrize(("name", "form"), [("date", "caddy"), ("time", "combined"), ("date", "log:$datetime $path")])
def test_a_layout_of_what_the_format_does_not_have_is_refused(name: str, form: str) -> None:
    with pytest.raises(InputRefused, match=f"--{name} is for formats with \\${name}; "):
        read(form, "", **{name: "2006-01-02 15:04"})


def test_a_layout_is_heeded_in_formats_that_have_a_name() -> None:
    line = f"192.0.2.26 - - [2025-02-21T18:24:17+00:00] {REST}"
    assert hit("combined", line, datetime="rfc3339").created == AT
    assert isinstance(read("combined", line), BadLine)
    assert (
        hit("bunny", f"HIT|200|{AT}|412|390|192.0.2.7|-|https://x.org/a|WA|-|3|DE", datetime="unix_sec").created == AT
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "200"},
        {"size": 5.5},
        {"size": None, "status": None},
        {"headers": None},
        {"headers": {"Cookie": "REDACTED", "X-Odd": 5}},
        {"headers": {"User-Agent": AGENT}},
        {"resp_headers": "gone"},
        {"proto": None, "host": 7},
        {"client_ip": None, "remote_ip": "192.0.2.26"},
        {"client_ip": "", "remote_addr": "192.0.2.26:4711"},
        {"method": None},
    ],
    ids=str,
)
def test_what_is_not_used_of_a_caddy_line_may_be_anything(fields: dict[str, Any]) -> None:
    found = hit("caddy", caddy(**fields))
    assert (found.path, found.address) == ("/a", "192.0.2.26")


@pytest.mark.parametrize(
    "written",
    [
        "21/Feb/2025:18:24:17.123 +0000",
        "21/Feb/2025:19:24:17 +01:00",
        "21/Feb/2025:19:24:17 +01",
        "21/Feb/2025:18:24:17 Z",
        "21/Feb/2025:18:24:17 UTC",
        "21/Feb/2025:18:24:17 -0000",
        "22/Feb/2025:00:09:17 +0545",
    ],
)
def test_a_common_time_may_have_fractions_and_any_zone(written: str) -> None:
    assert hit("combined", f"192.0.2.26 - - [{written}] {REST}").created == AT


def test_the_60th_second_is_the_next_one() -> None:
    line = f"192.0.2.26 - - [31/Dec/2016:23:59:60 +0000] {REST}"
    assert hit("combined", line).created == 1_483_228_800
    assert hit("caddy", caddy(ts="2016-12-31T23:59:60.5Z")).created == 1_483_228_800
    assert isinstance(read("combined", line.replace(":60 ", ":61 ")), BadLine)


@pytest.mark.parametrize("written", ["01/Jan/0001:00:00:00 +0000", "31/Dec/1969:23:59:59 +0000"])
def test_a_time_before_1970_is_none(written: str) -> None:
    assert isinstance(read("combined", f"192.0.2.26 - - [{written}] {REST}"), BadLine)


@pytest.mark.parametrize("path", ["/https://example.org/x", "/a://b", "//cdn/x", "/go?to=https://example.org/"])
def test_a_path_that_holds_an_address_is_a_path(path: str) -> None:
    assert hit("combined", f"192.0.2.26 - - [{TIME}] {REST}".replace("/a ", f"{path} ")).path == path
    whole = f"192.0.2.26 - - [{TIME}] {REST}".replace("/a ", f"https://www.example.com{path} ")
    assert hit("combined", whole).path == path


@pytest.mark.parametrize("repeated", [" ", " [", "1, ", ",", f"[{TIME}] ", f'[{TIME}] "', '\\"', "a b "])
@pytest.mark.parametrize("begins", ["", "192.0.2.1 - - ", "1, ", f'192.0.2.1 - - [{TIME}] "GET '])
def test_a_line_that_does_not_fit_is_soon_found_out(repeated: str, begins: str) -> None:
    line = begins + repeated * (65_000 // len(repeated))
    started = time.process_time()
    for form in ("combined", "common-vhost", IIS):
        read(form, line)
    assert time.process_time() - started < 0.7
