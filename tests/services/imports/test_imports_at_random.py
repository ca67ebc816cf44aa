"""Generated files of every format: a line that a server may write is one hit, and every line is accounted for."""

import asyncio
import csv
import gzip
import io
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallystick.services.imports import parquet
from tallystick.services.imports.batches import ImportSource
from tallystick.services.imports.csv_v2 import COLUMNS, csv_reader
from tallystick.services.imports.direct_sink import DrySink
from tallystick.services.imports.exclude_rules import DEFAULT, rules
from tallystick.services.imports.lines import LineFile
from tallystick.services.imports.logs import Layouts, log_reader
from tallystick.services.imports.parsed import ParsedHit, ParsedLine
from tallystick.services.imports.rows import RowFile
from tallystick.services.imports.running import Import, Report
from tallystick.services.ingest.ingest import Knowledge
from tallystick.warehouse import parquet_row_count

NOW = 1_800_000_000
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.0",
    "-",
)


class Line(NamedTuple):
    """A line as a server may write it, and what it tells.

    Attributes:
        at: Unix seconds.
    """

    text: str
    path: str
    at: int


# What servers write.

plain = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters='"\\|'), max_size=30)
words = st.text(st.characters(codec="utf-8", exclude_categories=["C"], exclude_characters='"\\|\x85'), max_size=40)
paths = st.text("abcXYZ019-._~!$&'()*,;=:@%/?", max_size=60).map(lambda text: "/" + text.lstrip("/"))
moments = st.datetimes(datetime(1991, 8, 8), datetime(2026, 12, 31)).map(lambda at: at.replace(microsecond=0))  # noqa: DTZ001  # zones come apart
zones = st.integers(-14 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
times = st.builds(lambda at, zone: at.replace(tzinfo=UTC).astimezone(zone), moments, zones)
ports = st.sampled_from(["", ":80", ":65535"])
addresses = st.one_of(
    st.builds("{}{}".format, st.integers(0, 2**32 - 1).map(IPv4Address), ports),
    st.integers(0, 2**128 - 1).map(IPv6Address).map(str),
    st.builds("[{}]{}".format, st.integers(0, 2**128 - 1).map(IPv6Address), ports),
    st.sampled_from(["unknown", "localhost", "192.0.2.7", "-"]),
)
address_lists = st.lists(addresses, min_size=1, max_size=4).flatmap(
    lambda found: st.sampled_from([",", ", ", " , "]).map(lambda comma: comma.join(found))
)
users = st.one_of(st.just("-"), words.map(lambda text: f"x{text}".rstrip().replace("[", "(")))
agents = st.one_of(st.sampled_from(AGENTS), words)
methods = st.sampled_from(["GET", "POST"])
endings = st.sampled_from(["\n", "\r\n", ""])
padding = st.sampled_from(["", "", "\ufeff", "\0" * 5])
numbers = st.one_of(st.just("-"), st.integers(0, 10**12).map(str))


def escaped(text: str) -> str:
    """As Apache and nginx escape what stands in quotation marks."""
    return text.replace("\\", "\\\\").replace('"', "\\x22") or "-"


def common_time(at: datetime) -> str:
    return at.strftime("%d/%b/%Y:%H:%M:%S %z")


@st.composite
def ncsa_lines(draw: st.DrawFn, *, host: bool, combined: bool) -> Line:
    at, path = draw(times), draw(paths)
    blank = draw(st.sampled_from([" ", "  "]))
    parts = [
        *([draw(st.sampled_from(["www.example.com", "example.com:443"]))] if host else []),
        draw(address_lists),
        "-",
        draw(users),
        f"[{common_time(at)}]",
        f'"{draw(methods)} {path} HTTP/{draw(st.sampled_from(["1.0", "1.1", "2.0"]))}"',
        draw(st.sampled_from(["200", "404", "206"])),
        draw(numbers),
        *([f'"{escaped(draw(words))}"', f'"{escaped(draw(agents))}"'] if combined else []),
        *(draw(st.lists(numbers, max_size=2)) if combined else []),
    ]
    return Line(blank.join(parts), path, int(at.timestamp()))


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def caddy_lines(draw: st.DrawFn) -> Line:
    at, path = draw(times), draw(paths)
    seconds = int(at.timestamp())
    written: Any = draw(
        st.sampled_from(
            [
                seconds,
                seconds + 0.25,
                seconds * 1000 + 250.5,
                seconds * 10**9 + 5,
                at.isoformat(),
                at.strftime("%Y-%m-%dT%H:%M:%S.125%z"),
                at.astimezone(UTC).strftime("%Y/%m/%d %H:%M:%S"),
                common_time(at),
            ]
        )
    )
    unused = st.dictionaries(st.sampled_from(["level", "logger", "user_id", "duration", "bytes_read", "tls"]), junk)
    headers = draw(
        st.fixed_dictionaries(
            {}, optional={"User-Agent": agents.map(lambda a: [a]) | agents, "Referer": junk, "Cookie": junk, "X": junk}
        )
    )
    request = {
        **draw(unused),
        "client_ip": draw(addresses),
        "uri": path,
        "method": draw(methods),
        "headers": headers,
        **draw(st.fixed_dictionaries({}, optional={"proto": junk, "host": junk, "remote_port": junk})),
    }
    line = {**draw(unused), "ts": written, "request": request, "status": 200}
    line |= draw(st.fixed_dictionaries({}, optional={"size": junk, "resp_headers": junk}))
    return Line(msgspec.json.encode(line).decode(), path, seconds if seconds > 10**8 else 0)


NGINX = 'log:$remote_addr - $ignore [$datetime] "$method $path $http" $status $size "$referrer" "$user_agent" "$xff"'
IIS = "log:$date $time $ignore $method $path $query $ignore $ignore $remote_addr $user_agent $referrer $status $ignore"
CLOUDFRONT = "log:$date\t$time\t$ignore\t$size\t$remote_addr\t$method\t$host\t$path\t$status\t$referrer\t$user_agent"


@st.composite
def nginx_lines(draw: st.DrawFn) -> Line:
    at, path = draw(times), draw(paths)
    text = (
        f"{draw(addresses)} - {draw(users)} [{common_time(at)}] "
        f'"{draw(methods)} {path} HTTP/1.1" 200 {draw(numbers)} "{escaped(draw(words))}" "{escaped(draw(agents))}" '
        f'"{draw(address_lists)}"'
    )
    return Line(text, path, int(at.timestamp()))


@st.composite
def iis_lines(draw: st.DrawFn) -> Line:
    at, path = draw(moments), draw(paths).partition("?")[0]
    agent = draw(agents).replace(" ", "+") or "-"
    cells = [
        at.strftime("%Y-%m-%d %H:%M:%S"),
        "10.0.0.1",
        draw(methods),
        path,
        draw(plain) or "-",
        "443",
        "-",
        draw(addresses),
        # Beside the address and without quotes, a comma would go on with a list of addresses.
        "".join(agent.split()).lstrip(",") or "-",
        draw(plain) or "-",
        "200",
        draw(numbers),
    ]
    return Line(" ".join(cells), path, int(at.replace(tzinfo=UTC).timestamp()))


@st.composite
def cloudfront_lines(draw: st.DrawFn) -> Line:
    at, path = draw(moments), draw(paths)
    agent = draw(agents).replace("%", "%25").replace(" ", "%20") or "-"
    if draw(st.booleans()):
        agent = agent.replace("%", "%25")
    start = at.strftime("%Y-%m-%d\t%H:%M:%S")
    text = f"{start}\tFRA2\t{draw(numbers)}\t{draw(addresses)}\tGET\tx.org\t{path}\t200\t{draw(plain) or '-'}\t{agent}"
    return Line(text, path, int(at.replace(tzinfo=UTC).timestamp()))


@st.composite
def bunny_lines(draw: st.DrawFn) -> Line:
    at, path = draw(times), draw(paths)
    seconds = int(at.timestamp())
    text = f"HIT|200|{seconds}{draw(st.integers(100, 999))}|412|390|{draw(address_lists)}|{draw(words) or '-'}|"
    return Line(f"{text}https://example.com{path}|WA|{draw(agents) or '-'}|1|DE", path, seconds)


LOGS = {
    "combined": ncsa_lines(host=False, combined=True),
    "combined-vhost": ncsa_lines(host=True, combined=True),
    "common": ncsa_lines(host=False, combined=False),
    "common-vhost": ncsa_lines(host=True, combined=False),
    "bunny": bunny_lines(),
    "caddy": caddy_lines(),
    NGINX: nginx_lines(),
    IIS: iis_lines(),
    CLOUDFRONT: cloudfront_lines(),
}


@pytest.mark.parametrize("form", LOGS, ids=[form.partition("$")[0] + str(n) for n, form in enumerate(LOGS)])
@settings(max_examples=50)
@given(data=st.data())
def test_every_line_a_server_may_write_is_one_hit(form: str, data: st.DataObject) -> None:
    line = data.draw(LOGS[form])
    text = data.draw(padding) + line.text + data.draw(endings)
    item: ParsedLine | None = log_reader(form, Layouts(), (), lambda: NOW)(7, text.encode())
    assert isinstance(item, ParsedHit), (item, text)
    assert item.arrival.path == line.path
    assert item.arrival.created == line.at


# Whole files.


@pytest.fixture(scope="module")
def knowledge() -> Knowledge:
    return Knowledge.load()


def imported(source: ImportSource, knowledge: Knowledge) -> Report:
    report = Report()
    work = Import(
        source, DrySink(knowledge), report, journal=None, progress=lambda _report, _batch: None,
        on_bad_line=lambda _bad: None,
    )  # fmt: skip
    try:
        asyncio.run(work.run())
    finally:
        source.close()
    check_sums(report)
    return report


def check_sums(report: Report) -> None:
    """Whatever was read became something, and only one thing."""
    read = report.lines - report.before
    assert read == report.sent + report.bad + report.excluded.total() + report.empty
    assert report.sent == report.stored + report.refused + report.dropped
    assert report.refused == report.reasons.total()
    assert min(report.stored, report.empty, report.notes["bots"]) >= 0
    assert report.notes["bots"] <= report.stored
    assert report.failed == (
        report.bad + report.refused > 0 and not report.stored + report.dropped + report.excluded.total()
    )


others = st.sampled_from(["", "# comment", "nonsense", "\0\0", "\ufeff", '"', "x" * 70_000, "{}", "\x16\x03\x01"])


@pytest.mark.parametrize("form", ["combined", "caddy", IIS])
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_line_of_a_log_is_accounted_for(
    tmp_path: Path, knowledge: Knowledge, form: str, data: st.DataObject
) -> None:
    written = data.draw(st.lists(st.one_of(LOGS[form].map(lambda line: line.text), others), max_size=12))
    content = "".join(line + "\n" for line in written).encode()
    file = tmp_path / "log"
    file.write_bytes(gzip.compress(content) if data.draw(st.booleans()) else content)
    read = log_reader(form, Layouts(), rules(DEFAULT), lambda: NOW)
    report = imported(LineFile(file, read), knowledge)
    assert report.lines == len(written)


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)


@st.composite
def csv_rows(draw: st.DrawFn) -> dict[str, str]:
    whole = st.integers(0, 2**31 - 1).map(str)
    return {
        "2Path": "/" + draw(cells),
        "Title": draw(cells),
        "Event": draw(st.sampled_from(["0", "1", "true", "FALSE", "y", ""])),
        "UserAgent": draw(st.just("") | agents),
        "Browser": draw(st.sampled_from(["Firefox 140", "Links ", ""])),
        "System": draw(st.sampled_from(["Linux ", "Windows 10", ""])),
        "Session": draw(st.sampled_from(["", "0-0", "287fb97cbed4e4f-8e4f5c975b8fee06"]) | cells),
        "Bot": draw(st.sampled_from(["0", "", "5"])),
        "Referrer": draw(cells),
        "Referrer scheme": draw(st.sampled_from(["h", "g", "c", "o", ""])),
        "Screen size": draw(st.sampled_from(["", "0,0,1", "1745.4545454545455,982,1"]) | whole),
        "Location": draw(st.sampled_from(["NL", "US-TX", ""]) | cells),
        "FirstVisit": draw(st.sampled_from(["0", "1"])),
        "Date": draw(times).isoformat(),
    }


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(csv_rows(), max_size=6),
    ending=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_every_row_of_a_csv_is_one_hit(
    tmp_path: Path, knowledge: Knowledge, rows: list[dict[str, str]], ending: str, quoting: Any
) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator=ending, quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    file = tmp_path / "hits.csv"
    file.write_bytes(text.getvalue().encode())
    report = imported(LineFile(file, csv_reader(lambda: NOW), quoted=True), knowledge)
    assert (report.sent, report.bad, report.refused) == (len(rows), 0, 0)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(cells.map("/{}".format), cells, cells, times, st.integers(0, 2**64 - 1)), max_size=6))
def test_every_row_of_a_parquet_file_is_one_hit(
    tmp_path: Path, knowledge: Knowledge, rows: list[tuple[str, str, str, datetime, int]]
) -> None:
    file = tmp_path / "hits.parquet"
    file.unlink(missing_ok=True)
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE hits (path VARCHAR, title VARCHAR, ref VARCHAR, created TIMESTAMP, session UBIGINT)"
        )
        for path, title, ref, at, session in rows:
            utc = at.astimezone(UTC).replace(tzinfo=None)
            connection.execute("INSERT INTO hits VALUES (?, ?, ?, ?, ?)", [path, title, ref, utc, session])
        connection.execute(
            "COPY (SELECT *, false AS event, true AS first, 'o' AS ref_scheme, '' AS campaign, '' AS browser, "
            "'' AS browser_version, '' AS system, '' AS system_version, '' AS country, '' AS region, '' AS language, "
            "0 AS width FROM hits) TO '" + str(file) + "' (FORMAT parquet)"
        )
    report = imported(RowFile(file, parquet.hits(file, lambda: NOW), total=parquet_row_count(file)), knowledge)
    assert (report.sent, report.bad, report.refused) == (len(rows), 0, 0)
