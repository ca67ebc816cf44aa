"""Lines of logs, read in every format."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.errors import InputRefused
from tallystick.services.imports.exclude_rules import DEFAULT, rules
from tallystick.services.imports.logs import LOG_FORMATS, Layouts, log_reader
from tallystick.services.imports.parsed import BadLine, ExcludedLine, ParsedHit, ParsedLine
from tallystick.services.ingest.ingest import Arrival

AT = 1_772_978_707  # 2026-03-08T14:05:07Z
NOW = 1_800_000_000
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
COMMON = '192.0.2.7 - - [08/Mar/2026:14:05:07 +0000] "GET /a?b=1 HTTP/1.1" 200 512'
COMBINED = f'{COMMON} "https://example.org/x" "{AGENT}"'


def read(
    form: str,
    line: str | bytes,
    exclude: Sequence[str] = DEFAULT,
    layouts: Layouts = Layouts(),  # noqa: B008  # frozen
) -> ParsedLine | None:
    raw = line if isinstance(line, bytes) else line.encode("utf-8", "surrogatepass")
    return log_reader(form, layouts, rules(exclude), lambda: NOW)(3, raw)


def told(*arguments: Any, **options: Any) -> Arrival:
    item = read(*arguments, **options)
    assert isinstance(item, ParsedHit), item
    assert item.number == 3
    return item.arrival


def an_arrival(**fields: Any) -> Arrival:
    ordinary = {"path": "/a?b=1", "query": "b=1", "created": AT, "address": "192.0.2.7"}
    return Arrival(**{**ordinary, "sessionless": True, "received": NOW, **fields})


@pytest.mark.parametrize(
    ("form", "line", "fields"),
    [
        ("common", COMMON, {}),
        ("common-vhost", f"www.example.com:443 {COMMON}", {"host": "example.com"}),
        ("combined", COMBINED, {"ref": "https://example.org/x", "agent": AGENT}),
        ("combined", f'{COMBINED} "203.0.113.9" 0.002', {"ref": "https://example.org/x", "agent": AGENT}),
        (
            "combined-vhost",
            f"www.example.com {COMBINED}",
            {"ref": "https://example.org/x", "agent": AGENT, "host": "example.com"},
        ),
        ("combined", f'{COMMON} "-" "-"', {}),
        (
            "combined",
            COMBINED.replace("192.0.2.7", "2001:db8::7"),
            {
                "ref": "https://example.org/x",
                "agent": AGENT,
                "address": "2001:db8::7",
            },
        ),
        (
            "bunny",
            f"HIT|200|{AT}123|412|390|192.0.2.7|-|https://example.com/a?b=1|WA|{AGENT}|322b688bd63fb63f|DE",
            {"agent": AGENT},
        ),
    ],
)
def test_each_format_is_read(form: str, line: str, fields: dict[str, Any]) -> None:
    assert told(form, line) == an_arrival(**fields)


def test_caddy_is_read() -> None:
    line = (
        '{"level":"info","ts":1772978707.25,"logger":"http.log.access","msg":"handled request","request":'
        '{"remote_ip":"10.0.0.1","client_ip":"192.0.2.7","proto":"HTTP/2.0","method":"GET","host":"example.com",'
        '"uri":"/a?b=1","headers":{"User-Agent":["AGENT"],"Referer":["https://example.org/x"],"Accept-Language":["nl"]}},'
        '"duration":0.01,"size":3,"status":200,"resp_headers":{"Content-Type":["text/html"]}}'
    ).replace("AGENT", AGENT)
    expected = an_arrival(ref="https://example.org/x", agent=AGENT, language="nl", host="example.com")
    assert told("caddy", line) == expected
    assert told("caddy", line.replace("1772978707.25", '"2026-03-08T14:05:07Z"')) == expected
    assert told("caddy", line.replace("1772978707.25", '"2026/03/08 14:05:07.250"')) == expected
    assert isinstance(read("caddy", line.replace("1772978707.25", '"soon"')), BadLine)


@pytest.mark.parametrize(
    ("form", "line", "fields"),
    [
        ("log:$date $time $path $remote_addr", "2026-03-08 14:05:07 /a?b=1 192.0.2.7", {}),
        (
            'log:[$datetime] "$url" $xff',
            '[08/Mar/2026:14:05:07 +0000] "http://x.org/a?b=1" 10.0.0.1,192.0.2.7',
            {
                "address": None,
            },
        ),
        (
            "log:$remote_addr\t$datetime\t$path\t$query",
            "192.0.2.7\t08/Mar/2026:14:05:07 +0000\t/a\tb=1",
            {"path": "/a"},
        ),
        (
            "log:$xff|$remote_addr|$datetime|$path",
            "8.8.8.8, 10.1.1.1|192.0.2.7|08/Mar/2026:14:05:07 +0000|/a?b=1",
            {
                "address": "8.8.8.8",
            },
        ),
        (
            "log:$remote_addr $datetime $path",
            "[2001:db8::1]:8080 08/Mar/2026:14:05:07 +0000 /a?b=1",
            {
                "address": "2001:db8::1",
            },
        ),
        ("log:$remote_addr $datetime $path", "192.0.2.7:8080 08/Mar/2026:14:05:07 +0000 /a?b=1", {}),
    ],
)
def test_a_format_of_ones_own_is_read(form: str, line: str, fields: dict[str, Any]) -> None:
    assert told(form, line) == an_arrival(**fields)


def test_a_layout_may_have_spaces() -> None:
    layouts = Layouts(datetime="2006-01-02 15:04:05")
    line = "2026-03-08 14:05:07 192.0.2.7 /a?b=1"
    assert told("log:$datetime $remote_addr $path", line, layouts=layouts) == an_arrival()


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("nginx", "unknown format: nginx"),
        ("log:$path $date $time $colour", r"unknown format specifier: \$colour"),
        ("log:$path", r"needs \$path or \$url, and \$datetime or \$date and \$time"),
        ("log:$datetime $host", r"needs \$path or \$url"),
        ("log:$path $date", r"\$date and \$time"),
        ("log:$path$datetime", "two fields with nothing between them"),
        ("log:$path $path $datetime", "has a field twice"),
    ],
)
def test_a_format_that_makes_no_sense_is_refused(form: str, reason: str) -> None:
    with pytest.raises(InputRefused, match=reason):
        read(form, "")


def test_what_servers_escape_is_undone() -> None:
    line = COMBINED.replace("https://example.org/x", r"https://example.org/\xc3\xa4\x22").replace(
        "Firefox", r"\"F\\x\""
    )
    arrival = told("combined", line)
    assert arrival.ref == 'https://example.org/ä"'
    assert '"F\\x"' in arrival.agent


@pytest.mark.parametrize(
    "line",
    [
        COMMON,
        "garbage",
        COMBINED[:60],
        r'192.0.2.7 - - [08/Mar/2026:14:05:07 +0000] "\x16\x03\x01" 400 0 "-" "-"',
        COMBINED.replace("08/Mar", "31/Feb"),
        COMBINED.replace("08/Mar/2026", "8.3.2026"),
    ],
)
def test_a_line_of_another_format_is_told(line: str) -> None:
    assert isinstance(read("combined", line), BadLine)


@pytest.mark.parametrize("line", ["", "\n", "# a comment", "#Fields: date time"])
def test_a_line_that_says_nothing_is_passed_over(line: str) -> None:
    assert read("combined", line) is None


def request(path: str = "/a", status: int = 200, method: str = "GET") -> str:
    return COMBINED.replace('"GET /a?b=1 HTTP/1.1" 200', f'"{method} {path} HTTP/1.1" {status}')


@pytest.mark.parametrize(
    ("exclude", "line", "rule"),
    [
        (DEFAULT, request("/style.CSS?v=3"), "static"),
        (DEFAULT, request("/logo.svg"), "static"),
        (DEFAULT, request("/css"), None),
        (DEFAULT, request(status=301), "redirect"),
        (DEFAULT, request(status=404), None),
        (["error"], request(status=404), "error"),
        ([""], request("/style.css", 302), None),
        ([""], request(method="HEAD"), "HEAD"),
        ([""], request(method="OPTIONS"), "OPTIONS"),
        (["path:/admin"], request("/x/admin/y"), "path:/admin"),
        (["path:glob:/admin*"], request("/x/admin"), None),
        (["path:glob:/admin*"], request("/admin/x"), "path:glob:/admin*"),
        (["path:re:^/[0-9]+$"], request("/12"), "path:re:^/[0-9]+$"),
        (["!path:glob:/blog/*"], request("/a"), "!path:glob:/blog/*"),
        (["!path:glob:/blog/*"], request("/blog/a"), None),
        (["!redirect"], request(), "!redirect"),
        (["user_agent:Firefox", "status:404"], request(), "user_agent:Firefox"),
        (["remote_addr:192.0.2."], request(), "remote_addr:192.0.2."),
        (["host:example.com"], request(), None),
    ],
)
def test_rules_leave_lines_out(exclude: Sequence[str], line: str, rule: str | None) -> None:
    item = read("combined", line, exclude)
    assert (item.rule if isinstance(item, ExcludedLine) else None) == rule


def test_html_is_known_by_its_content_type() -> None:
    form, line = "log:$datetime $content_type $path", "08/Mar/2026:14:05:07 +0000 {} /a"
    assert isinstance(read(form, line.format("application/json"), ["html"]), ExcludedLine)
    assert isinstance(read(form, line.format("text/HTML;charset=utf-8"), ["html"]), ParsedHit)
    assert isinstance(read(form, line.format("-"), ["html"]), ParsedHit)


@pytest.mark.parametrize("rule", ["colour:red", "path", "path:", "!", "ignore:x", "path:re:[", "statics"])
def test_a_rule_that_makes_no_sense_is_refused(rule: str) -> None:
    with pytest.raises(InputRefused, match="--exclude"):
        rules([rule])


@given(st.binary(max_size=200))
def test_no_line_raises(raw: bytes) -> None:
    for form in (*LOG_FORMATS, "log:$xff $path $datetime"):
        read(form, raw)


def test_a_long_bad_line_is_soon_found_wrong() -> None:
    line = '192.0.2.7 - - [08/Mar/2026:14:05:07 +0000] "GET /' + '" \\'.join(["a b "] * 5_000)
    assert isinstance(read("combined-vhost", line), BadLine)
    assert isinstance(read("combined", line), BadLine)
