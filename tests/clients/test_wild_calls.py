"""Calls as they stand in public pages, scripts and workflows, by raw HTTP: a row a pattern."""

import json
import re
from typing import Any
from urllib.parse import urlencode

import pytest

from support.server import RunningServer

A_BROWSER = {"Referer": "https://www.mysite.com/blog/post", "Origin": "https://www.mysite.com"}


def test_a_tutorial_updates_with_a_slash_before_the_query(shared_server: RunningServer) -> None:
    shared_server.get("/create?namespace=tutorial.com&key=visits&value=10")
    assert shared_server.get("/update/tutorial.com/visits/?amount=1").json() == {"value": 11}


def test_a_tutorial_hits_with_an_amount_that_means_nothing(shared_server: RunningServer) -> None:
    assert shared_server.get("/hit/my-first-visits/?amount=1").json() == {"value": 1}
    assert shared_server.get("/hit/my-first-visits/?amount=1").json() == {"value": 2}


def test_a_create_call_without_its_key_name_gets_a_uuid(shared_server: RunningServer) -> None:
    created = shared_server.get("/create?namespace=covid19&sanket27&value=0").json()
    assert (created["namespace"], created["value"]) == ("covid19", 0)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", created["key"])


def test_jquery_asks_for_jsonp_with_a_name_of_its_own(shared_server: RunningServer) -> None:
    answer = shared_server.get("/hit/jquery.com/visits?callback=jQuery34109_1&_=1700000000000")
    called = re.fullmatch(r"/\*\*/jQuery34109_1\((.*)\);", answer.text)
    assert called
    assert json.loads(called[1]) == {"value": 1, "status": 200, "code": 200}


def test_a_script_tag_calls_a_function_of_the_page(shared_server: RunningServer) -> None:
    """``<script src=".../get/script.com/visits?callback=websiteVisits"></script>``, also for a missing key."""
    answer = shared_server.get(
        "/get/script.com/visits?callback=websiteVisits", headers={"Referer": "https://script.com/"}
    )
    assert answer.status_code == 200
    assert answer.text == '/**/websiteVisits({"value":null,"status":404,"code":404});'


def test_the_github_action_sends_empty_texts_for_what_is_unset(shared_server: RunningServer) -> None:
    unset = dict.fromkeys(["namespace", "value", "enable_reset", "update_lowerbound", "update_upperbound"], "")
    created = shared_server.get(f"/create?{urlencode({'key': 'workflow-runs', **unset})}")
    assert created.json() == {"namespace": "default", "key": "workflow-runs", "value": 0}
    info: dict[str, Any] = shared_server.get("/info/workflow-runs").json()
    assert (info["update_lowerbound"], info["update_upperbound"], info["enable_reset"]) == (-1, 1, False)


@pytest.mark.parametrize("path", ["/hit/:HOST:/:PATHNAME:", "/hit/%3AHOST%3A/%3APATHNAME%3A", "/hit/%3ahost%3A/visits"])
def test_reserved_words_with_plain_and_encoded_colons(shared_server: RunningServer, path: str) -> None:
    answer = shared_server.get(path, headers=A_BROWSER)
    if "host" in path:  # reserved words are written in capitals
        assert (answer.status_code, answer.json()) == (400, {"error": "Malformed Namespace/Key"})
    else:
        assert (answer.status_code, answer.headers["x-path"]) == (200, "www.mysite.com/blogpost")


def test_curl_and_jq_in_a_workflow_read_one_number(shared_server: RunningServer) -> None:
    """``curl -s .../hit/owner.repository/clones | jq .value``"""
    agent = {"User-Agent": "curl/8.5.0", "Accept": "*/*"}
    assert shared_server.get("/hit/owner.repository/clones", headers=agent).text == '{"value":1}'


def test_a_readme_shows_a_pixel(shared_server: RunningServer) -> None:
    """``![](.../hit/owner/repository?img)`` through an image proxy."""
    answer = shared_server.get("/hit/owner/repository?img", headers={"Via": "1.1 camo", "Accept": "image/*"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
    assert shared_server.get("/get/owner/repository").json() == {"value": 1}


def test_a_page_fetches_with_the_cache_switched_off_by_a_random_parameter(shared_server: RunningServer) -> None:
    for nonce in ("0.123", "0.456"):
        shared_server.get(f"/hit/fetch.com/visits?nocache={nonce}", headers=A_BROWSER)
    assert shared_server.get("/get/fetch.com/visits").json() == {"value": 2}


def test_the_documentation_creates_with_an_expiration_that_is_no_parameter(shared_server: RunningServer) -> None:
    assert shared_server.get("/create?namespace=expiring.com&key=visits&expiration=60").status_code == 200
    assert shared_server.get("/info/expiring.com/visits").json()["ttl"] > 15_000_000_000


def test_the_documentation_creates_by_name_which_is_no_parameter(shared_server: RunningServer) -> None:
    created = shared_server.get("/create?namespace=named.com&name=visits").json()
    assert created["key"] != "visits"
