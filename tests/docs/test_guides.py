"""The guides are true: every command in them runs, every link leads somewhere, every option is known."""

import gzip
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from jinja2 import Template

from support.analytics import FIREFOX, analytics_server, prepare
from support.asking import ask
from support.clients import people_of_counters
from support.exported import a_past_export
from support.prepared import copy_migrated_ledger
from support.recording import recording_site
from support.server import clean_environment, running_server
from tallystick.ledger.ledger import milliseconds
from tallystick.model.site import SiteSettings

ROOT = Path(__file__).parents[2]
GUIDES = {path.name: path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
OWNER = "you@example.com"
HOST = "stats.example.com"
ROWS = (
    "2Path,Title,Event,UserAgent,Browser,System,Session,Bot,Referrer,Referrer scheme,"
    "Screen size,Location,FirstVisit,Date\n"
    '/old,Old,0,,Firefox 80,Windows 10,1-2,0,,o,"1920,0,1",NL,1,2024-05-06T07:08:09Z\n'
    '/older,Older,0,,Firefox 80,Windows 10,1-2,0,,o,"1920,0,1",NL,1,2024-05-06T07:08:10Z\n'
)
UMAMI_ROWS = (
    "created_at,url_path,event_type,session_id,visit_id\n"
    "2024-05-06 07:08:09,/old,1,s1,v1\n"
    "2024-05-06 07:08:10,/older,1,s1,v1\n"
)


def commands(guide: str, language: str = "sh") -> list[str]:
    """The blocks of a guide that are in a language; the shell's unless another one is named."""
    return re.findall(rf"```{language}\n(.*?)```", GUIDES[guide], re.DOTALL)


def shell(script: str, data: Path, url: str = "", **variables: str) -> str:
    """What a person's shell prints, with a server's own address in the place of the example's."""
    script = script.replace("http://127.0.0.1:8080", url).replace(
        "curl ", "curl --silent --show-error --fail-with-body "
    )
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=clean_environment(PATH=path, TALLYSTICK_DATA=str(data), XDG_STATE_HOME=str(data.parent), **variables),
        cwd=data.parent,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


def test_pages_are_counted_as_the_guide_says(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_server(data, "--rate-limit", "off") as server:
        printed = shell("\n".join(commands("count-your-pages.md")), data, server.url)
    assert printed.startswith("1\n1\n")
    claims = re.findall(r"# (\{.*?\})$", GUIDES["count-your-pages.md"], re.MULTILINE)
    assert claims
    assert all(claim in printed for claim in claims)


def test_public_counters_are_read_and_followed_as_the_guide_says(tmp_path: Path) -> None:
    *others, follow = commands("public-counters.md")
    # A stream has no end: curl says so with 28 when its time is over.
    follow = follow.replace("curl -N", "curl -N --max-time 2").rstrip() + " || test $? = 28\n"
    with running_server(tmp_path / "data", "--rate-limit", "off") as server:
        printed = shell("\n".join((*others, follow)), tmp_path / "data", server.url)
    for claim in re.findall(r'# (\{.*?\}|"code.*?)$', GUIDES["public-counters.md"], re.MULTILINE):
        assert claim in printed
    for line in re.findall(r"^data: .*$", GUIDES["public-counters.md"], re.MULTILINE):
        assert line in printed
    (shown,) = commands("public-counters.md", "json")
    answer = json.loads(re.findall(r'\{"namespace".*?\}', printed)[0])
    assert json.loads(shown).keys() == answer.keys()
    assert (answer["value"], answer["version"]) == (1, 1)


def test_the_api_answers_as_the_guide_says(tmp_path: Path) -> None:
    with analytics_server(tmp_path / "data", host=HOST, email=OWNER) as server:
        printed = shell("\n".join(commands("api.md")), tmp_path / "data", server.url)
    assert '{"status":"ok"}' in printed
    assert '"visitors"' in printed
    assert '"num_rows"' in printed


def test_events_are_told_as_the_guide_about_plausible_says(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_server(data, "--rate-limit", "off") as server:
        printed = shell("\n".join(commands("moving-from-plausible.md")[:2]), data, server.url)
    assert "202 Accepted" in printed
    assert "x-plausible-dropped" not in printed.lower().replace(
        "access-control-expose-headers: retry-after, x-plausible-dropped", ""
    )


def test_questions_are_asked_as_the_guide_says(tmp_path: Path) -> None:
    with analytics_server(tmp_path / "data", host=HOST, email=OWNER) as server:
        server.pixel(p="/blog")
        printed = shell(commands("questions.md")[-1], tmp_path / "data", server.url)
    assert printed.count("Page  Visitors  Pageviews\n") == 2
    assert '{"results":[' in printed


def test_what_was_kept_is_removed_as_the_guide_says(tmp_path: Path) -> None:
    settings = SiteSettings()
    with analytics_server(tmp_path / "data", host=HOST, email=OWNER, settings=settings) as server:
        server.pixel(p="/orders/jane@example.com")
        assert "/orders/jane@example.com" in shell("\n".join(commands("privacy.md")), tmp_path / "data")
        assert "jane" not in shell(f"tallystick path list --site {HOST}", tmp_path / "data")


def test_what_the_privacy_guide_calls_usual_is(tmp_path: Path) -> None:
    with analytics_server(tmp_path / "data", host=HOST, email=OWNER) as server:
        server.pixel(
            p="/docs?fbclid=word-8812", t="Documentation", r="https://www.example.org/page?q=word-8812", s="1920"
        )
        kept = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert b"www.example.org/page" in kept
    assert b"word-8812" not in kept
    assert FIREFOX.encode() not in kept


@pytest.mark.parametrize("way", ["into the data directory", "into a running server"])
def test_data_moves_once_as_the_guide_says(tmp_path: Path, way: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "goatcounter-export.csv.gz").write_bytes(gzip.compress(ROWS.encode()))
    token = prepare(data, host=HOST, email=OWNER, now=milliseconds()).token
    offline, online = commands("moving-from-goatcounter.md")
    if way == "into the data directory":
        shell(offline + offline, data)
    with running_server(data) as server:
        if way == "into a running server":
            shell(online + online, data, server.url, TOKEN=token)
        headers = {"authorization": f"Bearer {token}"}
        total = server.get("/api/v0/stats/total?start=2024-01-01&end=2025-01-01", headers=headers).json()
    assert total["total"] == 2


@pytest.mark.parametrize("way", ["into the data directory", "into a running server"])
def test_hits_of_umami_move_once_as_the_guide_says(tmp_path: Path, way: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    with zipfile.ZipFile(tmp_path / "umami-export.zip", "w") as export:
        export.writestr("website_event.csv", UMAMI_ROWS)
    token = prepare(data, host=HOST, email=OWNER, now=milliseconds()).token
    offline, online = commands("moving-from-umami-and-ga4.md")
    if way == "into the data directory":
        shell(offline + offline, data)
    with running_server(data) as server:
        if way == "into a running server":
            shell(online + online, data, server.url, TOKEN=token)
        headers = {"authorization": f"Bearer {token}"}
        total = server.get("/api/v0/stats/total?start=2024-01-01&end=2025-01-01", headers=headers).json()
    assert total["total"] == 2


def test_figures_of_plausible_move_as_the_guide_says(tmp_path: Path) -> None:
    a_past_export(tmp_path, name="plausible-export.zip")
    make, _, *move = commands("moving-from-plausible.md")
    with running_server(tmp_path / "data", "--rate-limit", "off") as server:
        printed = shell("\n".join([make, *move]), tmp_path / "data", server.url)
        asked = shell(move[0] + move[-1], tmp_path / "data", server.url)
    assert "1\tplausible\t2024-12-31\t2025-01-10\t33\tdone\tplausible-export.zip" in printed
    assert re.search(r"2024-12-01\s+10\s+30\n", asked)


def test_public_counters_move_as_the_guides_say(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    copy_migrated_ledger(data)
    (tmp_path / "counters.csv").write_text(commands("moving-from-countapi.md", "csv")[0], "utf-8")
    imported, _ = commands("moving-from-countapi.md")
    shell(imported, data)
    assert "visits\t41936" in shell("tallystick counter list --namespace example.com", data)

    (tmp_path / "pages.txt").write_text("https://blog.example.com/\nhttps://blog.example.com/posts/hello/\n", "utf-8")
    fetched, moved = commands("moving-from-busuanzi.md")
    with recording_site() as busuanzi:
        busuanzi.pages["/busuanzi"] = (
            'try{show({"site_uv":30211,"page_pv":9000,"version":2.4,"site_pv":120459});}catch(e){}'
        )
        shell(fetched.replace("https://busuanzi.ibruce.info", f"http://127.0.0.1:{busuanzi.port}"), data)
    numbers = (tmp_path / "numbers.csv").read_text("utf-8").splitlines()
    assert len(numbers) == 6
    example = commands("moving-from-busuanzi.md", "csv")[0]
    assert numbers[:3] == example.splitlines()[:3]
    (tmp_path / "numbers.csv").write_text(example, "utf-8")
    assert [line.split("\t")[:2] for line in shell(moved, data).splitlines()] == [
        ["blog.example.com/page_pv.index.af63a24c860189fe", "9000"],
        ["blog.example.com/page_pv.posts-hello.8c614492913a6a6a", "1204"],
        ["blog.example.com/site_pv", "120459"],
        ["blog.example.com/site_uv", "30211"],
    ]


def test_numbers_of_other_services_move_as_the_guides_say(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (tmp_path / "names.txt").write_text("example.com/visits\nexample.com/likes\n", "utf-8")
    with analytics_server(data, host=HOST, email=OWNER) as server, recording_site() as abacus:
        abacus.pages["/get/example.com/visits"] = '{"value":41936}'
        abacus.pages["/get/example.com/likes"] = '{"value":7}'
        moved, with_secret = commands("moving-from-abacus.md")
        shell(moved.replace("https://abacus.jasoncameron.dev", f"http://127.0.0.1:{abacus.port}"), data)
        assert ask(server.url, "/get/example.com/visits").json() == {"value": 41936}
        assert ask(server.url, "/hit/example.com/likes").json() == {"value": 8}

        printed = shell(with_secret, data, server.url)
        assert '{"value":6}' in printed
        assert '"value":100' in printed
        assert ask(server.url, "/get/example.com/downloads").json() == {"value": 0}

        _, as_owner = commands("moving-from-countapi.md")
        (tmp_path / "counters.csv").write_text(commands("moving-from-countapi.md", "csv")[0], "utf-8")
        (answer,) = re.findall(r"`(\{\"lines\".*?\})`", GUIDES["moving-from-countapi.md"])
        ask(server.url, "/hit/example.com/visits")
        (ada,) = people_of_counters(data, "Ada")
        assert shell(as_owner, data, server.url, TOKEN=ada) == answer.replace('"created":2', '"created":1').replace(
            '"kept":0', '"kept":1'
        )
        assert "example.com,magic-button,1204,0,1,0," in (tmp_path / "mine.csv").read_text("utf-8")

        switched, asked, visits = commands("moving-from-visitor-counter.md")
        printed = shell(visits, data, server.url)
        assert printed.endswith("".join(re.findall(r"# (\{.*\})", visits)))
        shell(switched, data)
        server.pixel(p="/")
        (claim,) = re.findall(r"# (\{.*\})", asked)
        assert shell(asked, data, server.url) == claim.replace("0", "1")


def test_badges_of_other_services_move_as_the_guides_say(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_server(data, "--rate-limit", "off") as server:
        for guide in ("moving-from-hits.md", "moving-from-komarev.md"):
            made, asked = commands(guide)
            shell(made, data)
            printed = [shell(line, data, server.url).strip() for line in asked.splitlines()]
            assert printed == re.findall(r"# (.+)$", asked, re.MULTILINE)
            # The badges that the guide shows are drawn.
            for badge in re.findall(r'src="https://counts\.example\.com(/badge/.*?)"', GUIDES[guide]):
                assert server.get(badge).text.startswith("<svg ")


def test_devices_count_as_the_guide_says(tmp_path: Path) -> None:
    guide, data = "count-from-devices.md", tmp_path / "data"
    texts = [text.replace("!secret ", "") for text in commands(guide, "yaml")]
    home, automation, workflow, reset = map(yaml.safe_load, texts)
    with running_server(data, "--rate-limit", "off") as server:
        printed = shell("\n".join(commands(guide)), data, server.url)
        claims = re.findall(r"^curl .*# (\{.*\})", GUIDES[guide], re.MULTILINE)
        assert len(claims) == 5
        assert all(claim in printed for claim in claims)

        def asked(url: str, **variables: int) -> str:
            path = Template(url).render(**variables).removeprefix("https://counts.example.com")
            return server.get(path).text

        # What Home Assistant requests, and what it makes of the answers.
        (resource,) = home["rest"]
        (sensor,) = resource["sensor"]
        for name, variables, shown in (("count", {}, "1"), ("add", {"amount": 5}, "6"), ("reset", {}, "0")):
            command = home["rest_command"][f"{name}_coffee"]
            assert set(command) == {"url", "method"}
            asked(command["url"], **variables)
            answer = {"value_json": json.loads(asked(resource["resource"]))}
            assert Template(sensor["value_template"]).render(answer) == shown
            assert Template(sensor["availability"]).render(answer) == "True"
        missing = {"value_json": json.loads(asked(resource["resource"] + "-missing"))}
        assert Template(sensor["availability"]).render(missing) == "False"
        called = [step["action"] for step in home["script"]["coffee"]["sequence"]]
        assert called[0].removeprefix("rest_command.") in home["rest_command"]
        assert automation["automation"][0]["actions"][0]["action"].removeprefix("script.") in home["script"]

        # Only the owner resets the other one.
        (secret,) = re.findall(r"counter_[\w-]{20,}", printed)
        asked("/hit/house.example/parcels")
        again = reset["rest_command"]["reset_parcels"]
        path = again["url"].removeprefix("https://counts.example.com")
        assert (again["method"], again["headers"]) == ("post", {"Authorization": "parcels"})
        assert ask(server.url, path, method="POST").status == 401
        emptied = ask(server.url, path, method="POST", headers={"authorization": f"Bearer {secret}"})
        assert emptied.json()["value"] == 0

        # The addresses for devices are those.
        addresses = re.findall(r"`(https://counts\.example\.com/[a-z]+/house[^`]*)`", GUIDES[guide])
        assert len(addresses) == 4
        assert all("value" in asked(address) for address in addresses)

        # Each attempt of a run counts once.
        step = workflow["jobs"]["tests"]["steps"][-1]
        github = {"GITHUB_REPOSITORY_OWNER": "octo-org", "GITHUB_REPOSITORY": "octo-org/hello", "GITHUB_RUN_ID": "17"}
        runs = [
            shell(step["run"], data, **github, GITHUB_RUN_ATTEMPT=attempt, COUNTS=server.url)
            for attempt in ("1", "1", "2")
        ]
        assert runs == ['{"value":1}', '{"value":1}', '{"value":2}']
        assert asked("/get/octo-org/hello.runs") == '{"value":2}'


def test_people_count_together_as_the_guide_says(tmp_path: Path) -> None:
    guide = "shared-counters.md"
    # Bare numbers come without the end of a line.
    script = "\n".join(commands(guide)).replace("curl ", r"curl --write-out '\n' ")
    with running_server(tmp_path / "data") as server:
        printed = shell(script, tmp_path / "data", server.url)
    claims = re.findall(r"^curl .*# (\d+)$", GUIDES[guide], re.MULTILINE)
    people = ["1", "2"]
    assert [line for line in printed.splitlines() if line.isdigit()] == people + claims
    assert '"kind":"value"' in printed
    assert "event: counterUpdated" in printed


def test_counters_have_owners_as_the_guide_says(tmp_path: Path) -> None:
    guide = "owned-counters.md"
    script = "\n".join(commands(guide)).replace("curl ", r"curl --write-out '\n' ")
    with running_server(tmp_path / "data") as server:
        printed = shell(script, tmp_path / "data", server.url).splitlines()
    claims = re.findall(r"# (\{.*\})$", GUIDES[guide], re.MULTILINE)
    assert len(claims) == 6
    assert [claim for claim in claims if claim not in printed] == []


def test_the_python_client_does_what_the_guide_says(tmp_path: Path) -> None:
    with analytics_server(tmp_path / "data", host=HOST, email=OWNER) as server:
        ada, bob = people_of_counters(tmp_path / "data", "Ada", "Bob")
        script = "\n".join(commands("python-client.md", "python")).replace("http://127.0.0.1:8080", server.url)
        claims = re.findall(r"^ +print\(.*\) +# ([^:;\n]+)", script, re.MULTILINE)
        # What is called and not shown is compared where it stands.
        called = re.compile(r"^( +)((?:api|ada|bob)\.\w+\(.*\)) +# (\w+).*$", re.MULTILINE)
        script = called.sub(r"\1assert \2 == \3", script)
        assert script.count("assert ") >= 5
        tokens = f"SITE_TOKEN, ADAS_TOKEN, BOBS_TOKEN = {server.token!r}, {ada!r}, {bob!r}\n"
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", tokens + script],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert len(claims) >= 5
    assert [claim for claim in claims if claim not in done.stdout.splitlines()] == []


PLACES = [(guide, target) for guide, text in GUIDES.items() for target in re.findall(r"\]\(([^)\s]+)\)", text)]


@pytest.mark.parametrize(("guide", "target"), PLACES)
def test_every_link_leads_somewhere(guide: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    file = (ROOT / "docs" / (path or guide)).resolve()
    assert file.exists()
    if anchor:
        headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_settings_are_those_of_the_script() -> None:
    script = (ROOT / "src/tallystick/surfaces/goatcounter/static/count.source.js").read_text("utf-8")
    told = re.findall(r"^\| (`[a-z_`, ]+`) \|", GUIDES["count-your-pages.md"], re.MULTILINE)
    names = set(re.findall(r"`([a-z_]+)`", " ".join(told)))
    read = set(re.findall(r"(?:gc|goatcounter\)?|set)\.(no_\w+|not_\w+|allow_\w+|endpoint|outbound|downloads)", script))
    read |= {"path", "title", "referrer", "event", "props"}
    assert names == read
