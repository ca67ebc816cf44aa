"""``docs/running.md`` is true: its commands fit the files that they name, and Tallystick understands its own."""

import re
import shlex
from collections.abc import Iterator

from support.deployed import DEPLOY, ROOT, documents, last
from tallystick.cli.main import command_line

GUIDE = (ROOT / "docs" / "running.md").read_text("utf-8")


def lines(program: str) -> Iterator[list[str]]:
    """The words of each shown command of a program, in the guide's order."""
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    shown = [line for block in blocks for line in block.splitlines()] + re.findall(r"`(docker [^`]+)`", GUIDE)
    for line in shown:
        words = shlex.split(line, comments=True)
        if words[:1] == [program]:
            yield words[1:]


def understood(words: list[str]) -> None:
    """Fail unless Tallystick understands a command."""
    assert words[0] == "tallystick"
    command_line(words[1]).parse_args(words[1:])


def test_docker_builds_what_is_there() -> None:
    built = [words for words in lines("docker") if words[0] in {"build", "buildx"}]
    assert len(built) >= 2
    for words in built:
        assert words[-1] == "."
        assert (ROOT / words[words.index("--file") + 1]).samefile(DEPLOY / "Dockerfile")


def test_docker_runs_the_image_as_compose_does() -> None:
    (words,) = (words for words in lines("docker") if words[0] == "run")
    (compose,) = documents("compose.yaml")
    service = compose["services"]["tallystick"]
    assert words[-1] == service["image"]
    options: dict[str, str] = dict(re.findall(r"--([a-z-]+) ([^-]\S*)", " ".join(words[:-1])))
    assert [options["publish"]] == service["ports"]
    assert options["volume"].partition(":")[2] == last("VOLUME")
    assert [options["tmpfs"]] == service["tmpfs"]
    assert [options["cap-drop"]] == service["cap_drop"]
    assert [f"{options['security-opt']}:true"] == service["security_opt"]
    assert f"{options['stop-timeout']}s" == service["stop_grace_period"]
    assert options["restart"] == service["restart"]
    assert ("--read-only" in words) == service["read_only"]


def test_commands_in_containers_are_understood() -> None:
    (run,) = (words for words in lines("docker") if words[0] == "run")
    name = run[run.index("--name") + 1]
    entered = [words for words in lines("docker") if words[0] == "exec"]
    assert len(entered) >= 3
    for words in entered:
        assert words[1] == name
        understood(words[2:])


def test_commands_of_compose_name_files_and_services_that_exist() -> None:
    composed = [words for words in lines("docker") if words[0] == "compose"]
    assert len(composed) >= 8
    for words in composed:
        assert words[1] == "--file"
        (found,) = documents(words[2].removeprefix("deploy/"))
        verb, *rest = words[3:]
        services = [word for word in rest if word in found["services"]]
        if verb == "exec":
            assert rest[0] in services
            understood(rest[1:])
        elif verb == "logs":
            assert rest == services
        else:
            options = {"up": {"--detach", "--build", "--wait", "--no-deps"}, "build": set()}[verb]
            assert set(rest) <= {*options, *found["services"]}


def test_servers_are_upgraded_one_after_the_other() -> None:
    (found,) = documents("compose.nodes.yaml")
    nodes = [name for name, service in found["services"].items() if service["image"].startswith("tallystick")]
    upgraded = [words[-1] for words in lines("docker") if words[0] == "compose" and "--no-deps" in words]
    assert upgraded == nodes


def test_commands_of_kubernetes_name_what_is_there() -> None:
    (listed,) = documents("kubernetes/kustomization.yaml")
    (image,) = listed["images"]
    pushed = [words[-1] for words in lines("docker") if words[0] == "push"]
    assert pushed == [f"{image['newName']}:{image['newTag']}"]
    assert pushed[0] in {word for words in lines("docker") if words[0] == "build" for word in words}
    (copied,) = (words for words in lines("cp") if "kubernetes" in words[0])
    assert (ROOT / copied[0]).is_file()
    assert copied[1] == f"deploy/kubernetes/{listed['secretGenerator'][0]['envs'][0]}"
    applied, *others = lines("kubectl")
    assert applied == ["apply", "--kustomize", "deploy/kubernetes"]
    assert len(others) == 2
    (deployment,) = documents("kubernetes/deployment.yaml")
    for words in others:
        assert words[:2] == ["--namespace", listed["namespace"]]
        assert words[3] == f"deployment/{deployment['metadata']['name']}"
        if words[2] == "exec":
            understood(words[5:])
