"""The served API description is what the server does: asked with generated requests, and with known ones."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import settings

from support.in_process import in_process
from support.server import RunningServer, running_server
from tallystick.app import SURFACES
from tallystick.errors import StoreBusy, StoreClosed, StoreFailed, StoreFull, StoreUnavailable
from tallystick.surfaces import countapi, native
from tallystick.surfaces.countapi import errors
from tallystick.surfaces.countapi.routes import KEYED, PLAIN
from tallystick.surfaces.native.routes import LIVE, PATHS
from tallystick.web.openapi import Description
from tallystick.web.surface import openapi_files

DESCRIBED = Description(openapi_files([countapi.SURFACE, native.SURFACE])).document
WHOLE = schemathesis.openapi.from_dict(DESCRIBED)


def without_jsonp_and_keys(document: dict[str, Any]) -> dict[str, Any]:
    """What a generated request can be judged by on its own.

    JSONP answers are 200 whatever happened, and what an Idempotency-Key brings depends on what it was sent with before.
    """
    judged = deepcopy(document)
    for item in judged["paths"].values():
        for node in (item, *methods_of(item).values()):
            node["parameters"] = [part for part in node.get("parameters", ()) if not is_one_of_these(part)]
    return judged


def is_one_of_these(parameter: dict[str, Any]) -> bool:
    return str(parameter.get("$ref", "")).endswith(("/callback", "/idempotency-key"))


def methods_of(item: dict[str, Any]) -> dict[str, Any]:
    """The operations of a path, without what they share."""
    return {name: operation for name, operation in item.items() if name != "parameters"}


# A stream has no end to wait for, and the keys of many are a repeated parameter.
JUDGED = (
    schemathesis.openapi.from_dict(without_jsonp_and_keys(DESCRIBED))
    .exclude(method="OPTIONS")
    .exclude(path=LIVE[0])
    .exclude(path=LIVE[1], method="GET")
)


@JUDGED.hook
def filter_query(_context: schemathesis.HookContext, query: dict[str, Any] | None) -> bool:
    """Of a repeated parameter the first counts, which OpenAPI cannot say: such requests may be right or wrong."""
    return not any(isinstance(value, list | dict) for value in (query or {}).values())


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for all requests: what they leave behind is part of the test."""
    with running_server(tmp_path_factory.mktemp("openapi") / "data") as server:
        yield server


@JUDGED.parametrize()
@settings(max_examples=8, derandomize=True, database=None)
def test_generated_requests_are_answered_as_described(
    case: schemathesis.Case[Any], shared_server: RunningServer
) -> None:
    case.call_and_validate(base_url=shared_server.url)


def test_the_description_is_openapi() -> None:
    WHOLE.validate()
    operations = [operation for item in DESCRIBED["paths"].values() for operation in methods_of(item).values()]
    names = [operation["operationId"] for operation in operations if "operationId" in operation]
    assert sorted(names) == sorted(set(names))


def test_every_url_is_described_and_nothing_else() -> None:
    public = {f"/{verb}/{names}" for verb in KEYED for names in ("{key}", "{namespace}/{key}")}
    public |= {f"/{verb}" for verb in PLAIN}
    assert set(DESCRIBED["paths"]) == public | set(PATHS) | set(LIVE)
    for path, item in DESCRIBED["paths"].items():
        expected = {"get", "head", "post", "options"} if path in public else {"get", "head"}
        assert set(methods_of(item)) == expected, path


def test_the_server_serves_this_description(shared_server: RunningServer) -> None:
    served = shared_server.get("/openapi.json")
    whole = Description(openapi_files(SURFACES)).document
    assert served.json() == json.loads(json.dumps(whole))
    assert served.headers["content-type"] == "application/json"
    assert served.headers["access-control-allow-origin"] == "*"


TWO, ONE = "/{namespace}/{key}", "/{key}"
LARGEST = 2**63 - 1
PREPARED = (
    "/create?namespace=known&key=plain&value=5",
    "/create?namespace=known&key=resettable&value=5&enable_reset=1",
    "/create?namespace=known&key=frozen&update_lowerbound=0&update_upperbound=0",
    f"/create?namespace=known&key=largest&value={LARGEST}",
    "/create?key=plain&value=5",
)
EXCHANGES = [
    # method, described path, request, status
    ("GET", f"/hit{TWO}", "/hit/known/new", 200),
    ("GET", f"/hit{TWO}", "/hit/known/new?callback=show", 200),
    ("GET", f"/hit{TWO}", "/hit/known/new?img", 200),
    ("GET", f"/hit{TWO}", "/hit/:HOST:/:PATHNAME:?page=https://example.com/a/b", 200),
    ("POST", f"/hit{TWO}", "/hit/known/new", 200),
    ("HEAD", f"/hit{TWO}", "/hit/known/plain", 200),
    ("HEAD", f"/hit{TWO}", "/hit/known/missing", 404),
    ("OPTIONS", f"/hit{TWO}", "/hit/known/new", 204),
    ("GET", f"/hit{ONE}", "/hit/plain/", 200),
    ("GET", f"/hit{TWO}", "/hit/known/x", 400),
    ("GET", f"/hit{TWO}", "/hit/known/x?img", 400),
    ("GET", f"/hit{TWO}", "/hit/known/new?callback=1", 400),
    ("GET", f"/hit{TWO}", "/hit/known/largest", 400),
    ("GET", f"/hit{TWO}", "/hit/known/frozen", 403),
    ("GET", f"/hit{TWO}", f"/hit/known/new?{'x' * 8200}", 414),
    ("GET", f"/get{TWO}", "/get/known/plain", 200),
    ("GET", f"/get{TWO}", "/get/known/missing", 404),
    ("GET", f"/get{TWO}", "/get/known/missing?img", 404),
    ("GET", f"/get{TWO}", "/get/known/missing?callback=show.it", 200),
    ("GET", f"/get{ONE}", "/get/plain", 200),
    ("GET", f"/update{TWO}", "/update/known/plain?amount=-1", 200),
    ("GET", f"/update{TWO}", "/update/known/plain", 400),
    ("GET", f"/update{TWO}", "/update/known/plain?amount=2", 403),
    ("GET", f"/update{TWO}", "/update/known/missing?amount=1", 404),
    ("GET", f"/set{TWO}", "/set/known/resettable?value=7", 200),
    ("GET", f"/set{TWO}", "/set/known/resettable?value=much", 400),
    ("GET", f"/set{TWO}", "/set/known/plain?value=7", 403),
    ("GET", f"/set{TWO}", "/set/known/missing?value=7", 404),
    ("GET", f"/info{TWO}", "/info/known/largest", 200),
    ("GET", f"/info{TWO}", "/info/known/missing", 404),
    ("GET", "/create", "/create", 200),
    ("GET", "/create", "/create?callback=show", 200),
    ("GET", "/create", "/create?update_lowerbound=1", 400),
    ("GET", "/create", "/create?namespace=known&key=plain", 409),
    ("HEAD", "/create", "/create?namespace=known&key=plain", 409),
    ("HEAD", "/create", "/create?namespace=known&key=missing", 404),
    ("GET", "/stats", "/stats", 200),
    ("GET", "/stats", "/stats/?img", 200),
    ("PUT", f"/hit{TWO}", "/hit/known/plain", 405),
    ("DELETE", "/create", "/create", 405),
    ("PUT", "/health/live", "/health/live", 405),
    ("GET", "/health/ready", "/health/ready", 200),
    ("HEAD", "/metrics", "/metrics", 200),
    ("HEAD", "/live", "/live?key=known/plain&key=known/missing", 200),
    ("GET", "/live", "/live?key=known", 400),
]


@pytest.fixture(scope="module")
def prepared_server(shared_server: RunningServer) -> RunningServer:
    for request in PREPARED:
        shared_server.get(request)
    return shared_server


@pytest.mark.parametrize(("method", "path", "request_", "status"), EXCHANGES)
def test_known_requests_are_answered_as_described(
    prepared_server: RunningServer, method: str, path: str, request_: str, status: int
) -> None:
    response = httpx.request(method, prepared_server.url + request_, timeout=30)
    assert response.status_code == status
    described = method if method.lower() in DESCRIBED["paths"][path] else "GET"
    WHOLE[path][described].validate_response(response)


def test_the_creation_limit_answers_as_described(server_of_one_creation: RunningServer) -> None:
    answers = [server_of_one_creation.get(f"/create?key=limited-{number}") for number in range(10)]
    assert 429 in {answer.status_code for answer in answers}
    for answer in answers:
        WHOLE["/create"]["GET"].validate_response(answer)


@pytest.mark.parametrize("mode", ["existing", "off"])
async def test_refusals_of_the_operator_answer_as_described(tmp_path: Path, mode: str) -> None:
    asked = [(f"/hit{TWO}", "/hit/a.b/new"), ("/create", "/create?key=new")]
    if mode == "off":
        asked += [("/stats", "/stats"), (f"/get{TWO}", "/get/a.b/new"), (f"/info{TWO}", "/info/a.b/new")]
        asked += [(f"/update{TWO}", "/update/a.b/new?amount=1"), (f"/set{TWO}", "/set/a.b/new?value=1")]
        asked += [("/live/{namespace}/{key}", "/live/a.b/new")]
    async with in_process(tmp_path, public_counters=mode) as site:
        for path, target in asked:
            answer = await site.ask(target)
            headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
            assert answer.status == 403
            WHOLE[path]["GET"].validate_response(described_response(403, headers, answer.body))


@pytest.fixture
def server_of_one_creation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("limited") / "data", creation_limit=1) as server:
        yield server


@pytest.mark.parametrize(
    ("error", "status"), [(StoreBusy, 503), (StoreFull, 503), (StoreClosed, 503), (StoreFailed, 500)]
)
@pytest.mark.parametrize("path", [None, b"example.com/visits"])
def test_a_failing_ledger_is_answered_as_described(
    error: type[StoreUnavailable], status: int, path: bytes | None
) -> None:
    answer = errors.unavailable(error("the disk is full"), path)
    named = [] if answer.path is None else [(b"x-path", answer.path)]
    headers = [(b"content-type", b"application/json"), *named, *answer.headers]
    assert answer.status == status
    WHOLE[f"/hit{TWO}"]["GET"].validate_response(described_response(status, headers, answer.body))


def test_every_example_is_as_described() -> None:
    shown = 0
    for path, item in DESCRIBED["paths"].items():
        operation = WHOLE[path]["GET"]
        for status, answer in item["get"]["responses"].items():
            for media, body in examples(followed(answer)):
                headers = [(name, "1") for name in followed(answer).get("headers", ())]
                content = body if isinstance(body, str) else json.dumps(body)
                operation.validate_response(
                    described_response(int(status), [*headers, ("content-type", media)], content)
                )
                shown += 1
    assert shown > len(DESCRIBED["paths"])


def followed(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    _, kind, name = node["$ref"].removeprefix("#/").split("/")
    found: dict[str, Any] = DESCRIBED["components"][kind][name]
    return found


def examples(answer: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for media, content in answer.get("content", {}).items():
        if "example" in content:
            yield media, content["example"]
        for example in content.get("examples", {}).values():
            yield media, example["value"]


def described_response(status: int, headers: list[Any], content: str | bytes) -> httpx.Response:
    """An answer that no server of this test can be brought to give."""
    stream = httpx.ByteStream(content.encode() if isinstance(content, str) else content)
    transport = httpx.MockTransport(lambda _: httpx.Response(status, headers=headers, stream=stream))
    with httpx.Client(transport=transport) as client:
        return client.get("http://127.0.0.1/")
