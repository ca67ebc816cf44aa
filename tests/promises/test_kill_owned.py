"""A kill -9 loses nothing that an owner was told, and counts no visitor twice."""

from pathlib import Path
from typing import Any

import httpx

from support.server import RunningServer, running_server

KEY = "example.com/visitors"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/"
ROUNDS, VISITORS = 2, 20


def hit(server: RunningServer, visitor: int) -> int:
    answer = server.get(f"/hit/{KEY}", headers={"user-agent": f"{FIREFOX}{visitor}.0"})
    assert answer.status_code == 200
    value: int = answer.json()["value"]
    return value


def change(server: RunningServer, method: str, path: str, body: object, secret: str = "") -> Any:
    headers = {"authorization": f"Bearer {secret}"} if secret else {}
    answer = httpx.request(method, f"{server.url}/api/counters{path}", headers=headers, json=body, timeout=30)
    assert answer.is_success, answer.text
    return answer.json()


def test_owned_counters_survive_a_kill(tmp_path: Path, database_url: str | None) -> None:
    secret, value, base = "", 0, 0
    for number in range(ROUNDS + 1):
        with running_server(tmp_path, database=database_url) as server:
            if not secret:
                body = {"namespace": "example.com", "key": "visitors", "unique": "visit"}
                secret = change(server, "POST", "", body)["secret"]
            assert server.get(f"/get/{KEY}").json()["value"] == value, "the last answer before the kill"
            # Who was counted before the kill is not counted again, whoever is new is counted once.
            for visitor in range(VISITORS * number + 1):
                value = hit(server, visitor)
            assert value == base + VISITORS * number + 1 - (VISITORS * (number - 1) + 1 if number else 0)
            base = value = 1_000 * number + 7
            change(server, "POST", f"/{KEY}/set", {"value": value}, secret)
            change(server, "PATCH", f"/{KEY}", {"label": f"Round {number}"}, secret)
            server.process.kill()
            server.process.wait(timeout=30)
    with running_server(tmp_path, database=database_url) as server:
        shown = server.get(f"/api/counters/{KEY}").json()
        assert (shown["value"], shown["label"], shown["unique"]) == (value, f"Round {ROUNDS}", "visit")
        assert [hit(server, visitor) for visitor in range(VISITORS * ROUNDS + 1)] == [value] * (VISITORS * ROUNDS + 1)
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert kept == [], "of a secret only its hash is kept"
