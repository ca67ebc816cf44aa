"""``deploy/compose*.yaml``."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from support.deployed import DEPLOY, ROOT, STAGES, assert_settings_are_accepted, documents, last
from tallystick.cli import serve

FILES = sorted(path.name for path in DEPLOY.glob("compose*.yaml"))


def services(file: str, *, ours: bool) -> dict[str, dict[str, Any]]:
    """The services of a file that run our image, or the others."""
    (found,) = documents(file)
    return {name: each for name, each in found["services"].items() if each["image"].startswith("tallystick") == ours}


def test_they_have_the_form_of_compose_files() -> None:
    command = [str(Path(sys.executable).with_name("check-jsonschema")), "--builtin-schema", "vendor.compose-spec"]
    files = [str(DEPLOY / file) for file in FILES]
    checked = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("file", FILES)
def test_servers_have_no_rights_that_they_do_not_need(file: str) -> None:
    for service in services(file, ours=True).values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "cap_add" not in service
        assert "user" not in service
        assert "privileged" not in service


@pytest.mark.parametrize("file", FILES)
def test_servers_have_the_time_to_finish_what_they_accepted(file: str) -> None:
    needed = serve.TAKES_LEAVE_WITHIN_S + serve.STOPS_WITHIN_S + serve.CLOSES_WITHIN_S
    for service in services(file, ours=True).values():
        delay = int(service["environment"].get("TALLYSTICK_STOP_DELAY", 0))
        assert int(service["stop_grace_period"].removesuffix("s")) >= delay + needed


def test_a_server_answers_until_the_balancer_has_noticed_that_it_stops() -> None:
    (interval,) = re.findall(r"health_interval (\d+)s", (DEPLOY / "Caddyfile.nodes").read_text("utf-8"))
    for node in services("compose.nodes.yaml", ours=True).values():
        assert int(node["environment"]["TALLYSTICK_STOP_DELAY"]) >= 2 * int(interval)


@pytest.mark.parametrize("file", FILES)
def test_the_image_is_built_from_the_dockerfile(file: str) -> None:
    # All of them: Compose would try to load the image of one that is not built.
    for service in services(file, ours=True).values():
        build = service["build"]
        context = (DEPLOY / build["context"]).resolve()
        assert context == ROOT
        assert (context / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")


@pytest.mark.parametrize("file", FILES)
def test_only_programs_of_the_machine_reach_a_server_without_a_proxy(file: str) -> None:
    for service in services(file, ours=True).values():
        for port in service.get("ports", []):
            assert re.fullmatch(rf"127\.0\.0\.1:\d+:{last('EXPOSE')}", port)


@pytest.mark.parametrize("file", FILES)
def test_settings_are_accepted(file: str) -> None:
    for service in services(file, ours=True).values():
        filled = {name: re.sub(r"\$\{.*?\}", "x", str(value)) for name, value in service["environment"].items()}
        settings = assert_settings_are_accepted(filled)
        assert settings.trusted_proxy


def test_the_data_of_one_server_are_in_a_volume() -> None:
    (service,) = services("compose.yaml", ours=True).values()
    (found,) = documents("compose.yaml")
    (volume,) = service["volumes"]
    name, _, place = volume.partition(":")
    assert name in found["volumes"]
    assert place == last("VOLUME")


def test_three_servers_are_alike_and_hold_nothing() -> None:
    nodes = services("compose.nodes.yaml", ours=True)
    assert set(nodes) == {"node1", "node2", "node3"}
    assert [node["hostname"] for node in nodes.values()] == list(nodes)  # doctor and logs name it
    first, *others = [{key: value for key, value in node.items() if key != "hostname"} for node in nodes.values()]
    assert others == [first, first]
    assert first["build"]["args"] == {"EXTRA": "nodes"}
    ((lake, place),) = [volume.split(":") for volume in first["volumes"]]
    (found,) = documents("compose.nodes.yaml")
    assert lake in found["volumes"]
    assert place == first["environment"]["TALLYSTICK_LAKE"]
    # A new volume gets the owner of the directory that it covers.
    (made,) = [rest for verb, rest in STAGES[-1].steps if verb == "RUN"]
    assert f" {place}" in made


def test_programs_of_others_have_a_version() -> None:
    others = services("compose.nodes.yaml", ours=False)
    assert set(others) == {"postgres", "caddy"}
    for service in others.values():
        assert re.fullmatch(r"[a-z]+:\d+", service["image"])


def test_the_guide_names_what_the_operator_fills_in() -> None:
    text = (DEPLOY / "compose.nodes.yaml").read_text("utf-8")
    needed = set(re.findall(r"\$\{(\w+)", text))
    guide = (ROOT / "docs" / "running.md").read_text("utf-8")
    (block,) = [block for block in re.findall(r"```sh\n(.*?)```", guide, re.DOTALL) if "deploy/.env" in block]
    assert needed == set(re.findall(r"^(\w+)=", block, re.MULTILINE))
    assert "/deploy/.env\n" in (ROOT / ".gitignore").read_text("utf-8")
