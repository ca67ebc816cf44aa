"""Whatever is sent: an answer of a known status that pages may read, never a redirect, never an inner error."""

import asyncio
from collections.abc import Iterator
from urllib.parse import quote_from_bytes

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from support.asking import Answer, ask
from support.in_process import InProcess, in_process
from support.server import RunningServer
from tallystick.app import SURFACES
from tallystick.surfaces.countapi.routes import PREFIXES
from tallystick.web.dispatch import claims

KNOWN = {200, 204, 400, 403, 404, 405, 409, 414}
SEGMENTS = [prefix[1:] for prefix in PREFIXES]
# Generated paths take words from the code: each first segment of another surface will be among them some day.
OTHERS = {prefix.split("/")[1] for prefix in claims(SURFACES)} - {*SEGMENTS, ""}


def assert_answers(answer: Answer, *, method: str = "GET") -> None:
    assert answer.status in KNOWN
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "location" not in answer.headers
    kind = answer.headers.get("content-type")
    if method in {"HEAD", "OPTIONS"}:
        return
    if kind == "text/javascript; charset=utf-8":
        assert answer.status == 200
        assert answer.headers["x-content-type-options"] == "nosniff"
    elif kind == "image/gif":
        assert answer.body.startswith(b"GIF89a")
    else:
        assert kind == "application/json; charset=utf-8"
        assert isinstance(msgspec.json.decode(answer.body), dict)


names = st.sampled_from([":HOST:", ":PATHNAME:", "visits", "default", "", "ab", "a/b"]) | st.text(max_size=5)
segments = st.sampled_from(SEGMENTS) | st.text(max_size=5)
paths = st.one_of(
    st.text().map("/{}".format),
    st.builds("/{}/{}".format, segments, names),
    st.builds("/{}/{}/{}".format, segments, names, names),
    st.builds("/{}/{}/{}/".format, segments, names, names),
    st.sampled_from(["", "*", "//", "//hit/visits", "/hit", "visits"]),
).filter(lambda path: path != "/" and path[1:].split("/")[0] not in OTHERS)
parameters = st.tuples(
    st.sampled_from(["amount", "value", "callback", "img", "page", "key", "namespace", "enable_reset"])
    | st.text(max_size=3),
    st.sampled_from(["", "1", "-1", "null", "NaN", ":HOST:", "visits", "https://mysite.com/a", "9" * 50])
    | st.text(max_size=5),
).map("=".join)
queries = st.binary() | st.lists(parameters, max_size=4).map(lambda pairs: "&".join(pairs).encode())
methods = st.sampled_from(["GET", "GET", "GET", "POST", "HEAD", "OPTIONS", "PUT", ""])
header_values = st.text(st.characters(codec="latin-1"), max_size=30)
header_names = st.sampled_from(["referer", "origin", "sec-purpose", "purpose", "x-forwarded-for", "cookie"])


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def site(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcess]:
    context = in_process(tmp_path_factory.mktemp("any-request"))
    yield runner.run(context.__aenter__())
    runner.run(context.__aexit__(None, None, None))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(path=paths, query=queries, method=methods, headers=st.lists(st.tuples(header_names, header_values), max_size=2))
@example(path="/hit/\ud800\ud800\ud800", query=b"", method="GET", headers=[])
@example(path="/hit/visits", query=b"%", method="GET", headers=[])
@example(path="/hit/visits", query=b"&" * 8_192, method="GET", headers=[])
@example(path="/create", query=b"key=%ed%a0%80abc", method="GET", headers=[])
@example(path="/hit/:HOST:", query=b"page=http://[", method="GET", headers=[])
def test_the_application_answers_anything(  # noqa: PLR0913, PLR0917  # the parts of a request
    site: InProcess, runner: asyncio.Runner, path: str, query: bytes, method: str, headers: list[tuple[str, str]]
) -> None:
    answer = runner.run(site.send(path, query, method=method, headers=headers))
    assert_answers(answer, method=method)


@settings(max_examples=200)
@given(path=st.binary(), query=st.none() | st.binary(), verb=st.sampled_from(["", *SEGMENTS]))
def test_the_server_answers_any_bytes(
    shared_server: RunningServer, path: bytes, query: bytes | None, verb: str
) -> None:
    target = f"/{verb}/{quote_from_bytes(path, safe='/')}"
    if query is not None:
        target += f"?{quote_from_bytes(query, safe='=&+')}"
    assert_answers(ask(shared_server.url, target))
