"""The description of shared counters is what the server does: asked with generated requests."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import schemathesis
from hypothesis import settings
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    ensure_resource_availability,
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
    use_after_free,
)

from support.server import RunningServer, running_server
from tallystick.ledger import open_database
from tallystick.ledger.ledger import milliseconds
from tallystick.services.accounts.accounts import NewAccount, create_account
from tallystick.services.accounts.tokens import OF_COUNTERS, NewToken, create_token
from tallystick.services.sharing.counters import NewCounter, create
from tallystick.surfaces import counttogether
from tallystick.surfaces.counttogether.routes import API
from tallystick.web.openapi import Description
from tallystick.web.surface import openapi_files

DESCRIBED = Description(openapi_files([counttogether.SURFACE])).document
STREAMS = frozenset({"/v1/events", "/v2/events"})
SOCKETS = frozenset({"/v1/ws", "/v2/ws"})
WHOLE = schemathesis.openapi.from_dict(DESCRIBED)
JUDGED = WHOLE.exclude(path=sorted(STREAMS))

NOT_JUDGED = [
    allow_header_conformance,  # preflights allow the same for every path
    ignored_auth,  # it takes the token away where it finds it, and here it comes with every request
    positive_data_acceptance,  # requests of the right shape may still be refused: by roles, modes and limits
    ensure_resource_availability,
    use_after_free,
]


class Known:
    """A server with a counter that may be asked about."""

    def __init__(self, server: RunningServer, token: str, counter: str) -> None:
        self.server, self.token, self.counter = server, token, counter


@JUDGED.hook
def filter_query(_context: schemathesis.HookContext, query: dict[str, Any] | None) -> bool:
    """Of a repeated parameter the first counts, which OpenAPI cannot say: such requests may be right or wrong."""
    return not any(isinstance(value, list | dict) for value in (query or {}).values())


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Known]:
    data = tmp_path_factory.mktemp("counttogether-openapi") / "data"
    data.mkdir()
    ledger = open_database(None, data)
    ledger.migrate()
    with closing(ledger.session(writes=True)) as session, session.transaction():
        now = milliseconds()
        person = create_account(session, NewAccount(email="ada@example.com", password="-", name="Ada"), now)
        _, token = create_token(session, person, NewToken(name="test", permissions=int(OF_COUNTERS)), now)
        counter = create(session, person.id, NewCounter(name="Visitors"), now).uid
    with running_server(data, "--rate-limit", "off") as server:
        yield Known(server, token, counter)


@JUDGED.parametrize()
@settings(max_examples=4, derandomize=True, database=None)
def test_generated_requests_are_answered_as_described(case: schemathesis.Case[Any], known: Known) -> None:
    if "id" in case.path_parameters and "tokens" not in case.path and case.method != "DELETE":
        case.path_parameters["id"] = known.counter
    case.call_and_validate(
        base_url=known.server.url,
        headers={"authorization": f"Bearer {known.token}"},
        excluded_checks=[*NOT_JUDGED, *([negative_data_rejection] if case.method == "DELETE" else [])],
    )


def test_the_description_is_openapi() -> None:
    WHOLE.validate()


def test_every_url_is_described_and_nothing_else() -> None:
    described = {
        (path, method.upper()) for path, item in DESCRIBED["paths"].items() for method in item if method != "parameters"
    }
    assert described == {(route.path, route.method) for route in API if route.path not in SOCKETS}


def test_the_server_serves_this_description(known: Known) -> None:
    served = known.server.get("/openapi.json").json()
    for kind, named in DESCRIBED["components"].items():
        assert json.loads(json.dumps(named)).items() <= served["components"][kind].items()
    assert set(DESCRIBED["paths"]) <= set(served["paths"])
