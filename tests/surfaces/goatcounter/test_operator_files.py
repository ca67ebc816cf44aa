"""Files that the operator names: hosts of referrer spam, and a database of places."""

from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest

from support.analytics import analytics_server
from support.asking import Answer
from support.commands import CommandLine
from support.mmdb import write_mmdb

WITHIN_S = 20
TEXAS = {"country": {"iso_code": "US"}, "subdivisions": [{"iso_code": "TX"}]}
SPAM = "ignored because the referrer is known for spam"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(monkeypatch, capfd)


def until(asked: Callable[[], Answer], holds: Callable[[Answer], bool]) -> None:
    deadline = monotonic() + WITHIN_S
    while not holds(asked()):
        assert monotonic() < deadline, "it never happened"
        sleep(0.1)


def test_a_running_server_reads_spam_referrers_again(tmp_path: Path) -> None:
    file = tmp_path / "spam.txt"
    file.write_text("old.example\n")
    with analytics_server(tmp_path / "data", "--spam-referrers", str(file)) as running:

        def visit(host: str) -> Answer:
            return running.pixel(p="/a", r=f"https://www.{host}/x")

        assert visit("old.example").headers["x-goatcounter"] == SPAM
        assert "x-goatcounter" not in visit("new.example").headers
        file.write_text("new.example # from now on\n")
        until(lambda: visit("new.example"), lambda answer: answer.headers.get("x-goatcounter") == SPAM)
        assert "x-goatcounter" not in visit("old.example").headers


def test_a_database_of_places_tells_regions(tmp_path: Path) -> None:
    write_mmdb(tmp_path / "city.mmdb", {"127.0.0.0/8": TEXAS})
    with analytics_server(tmp_path / "data", "--geodb", str(tmp_path / "city.mmdb")) as running:
        running.pixel(p="/a")
        regions = running.api("GET", "/stats/locations/US").json()["stats"]
    assert [row["count"] for row in regions] == [1]
    assert "Texas" in regions[0]["name"] or "TX" in regions[0]["name"]


@pytest.mark.parametrize("option", ["--geodb", "--spam-referrers"])
def test_a_file_that_cannot_be_read_keeps_a_server_from_starting(run: CommandLine, tmp_path: Path, option: str) -> None:
    data = tmp_path / "data"
    refusal = run("serve", "--data", data, "--listen", "127.0.0.1:0", option, tmp_path / "missing").refused()
    assert refusal.startswith(option)
    assert "missing" in refusal
