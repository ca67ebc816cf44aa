"""``deploy/kubernetes``."""

import base64
import re
from typing import Any

import pytest
import yaml

from support.deployed import DEPLOY, ROOT, assert_settings_are_accepted, documents, last
from tallystick.cli import serve

FOLDER = "kubernetes"
VERSIONS = ("1.25", "1.37")
OBJECTS = sorted(path.name for path in (DEPLOY / FOLDER).glob("*.yaml") if path.name != "kustomization.yaml")


def one(file: str) -> dict[str, Any]:
    (found,) = documents(f"{FOLDER}/{file}")
    return found


DEPLOYMENT = one("deployment.yaml")
POD = DEPLOYMENT["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
SECRET = dict(line.split("=", 1) for line in (DEPLOY / FOLDER / "secret.env.example").read_text("utf-8").splitlines())


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_knows_every_field(version: str) -> None:
    import kubernetes_validate  # noqa: PLC0415  # takes longer than all other imports of tests

    assert OBJECTS
    for file in OBJECTS:
        kubernetes_validate.validate(one(file), version, strict=True)


def test_the_list_has_every_object() -> None:
    text = (DEPLOY / FOLDER / "kustomization.yaml").read_text("utf-8")
    listed = yaml.safe_load(text)
    offered = re.findall(r"^  # - (\S+\.yaml)", text, re.MULTILINE)
    assert sorted([*listed["resources"], *offered]) == OBJECTS
    assert listed["namespace"] == one("namespace.yaml")["metadata"]["name"]
    assert [each["name"] for each in listed["images"]] == [CONTAINER["image"]]
    (secret,) = listed["secretGenerator"]
    assert secret["envs"] == ["secret.env"]
    assert "/deploy/kubernetes/secret.env\n" in (ROOT / ".gitignore").read_text("utf-8")
    assert CONTAINER["envFrom"] == [{"secretRef": {"name": secret["name"]}}]


def test_everything_is_about_the_same_pods() -> None:
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"] == labels
    assert one("service.yaml")["spec"]["selector"] == labels
    assert one("disruption.yaml")["spec"]["selector"]["matchLabels"] == labels
    (port,) = CONTAINER["ports"]
    assert str(port["containerPort"]) == last("EXPOSE")
    (served,) = one("service.yaml")["spec"]["ports"]
    assert served["targetPort"] == port["name"]
    for rule in one("ingress.yaml")["spec"]["rules"]:
        (path,) = rule["http"]["paths"]
        target = path["backend"]["service"]
        assert (target["name"], target["port"]["name"]) == (one("service.yaml")["metadata"]["name"], served["name"])


def test_pods_are_restricted() -> None:
    assert one("namespace.yaml")["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}
    user, _, group = last("USER").partition(":")
    assert POD["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": int(user),
        "runAsGroup": int(group),
        "fsGroup": int(group),
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False


def test_pods_hold_nothing_and_can_write_where_the_server_does() -> None:
    assert all(set(volume) == {"name", "emptyDir"} for volume in POD["volumes"])
    places = [mount["mountPath"] for mount in CONTAINER["volumeMounts"]]
    assert places == [last("VOLUME"), "/tmp"]
    assert variables()["TALLYSTICK_DATA"].startswith(f"{places[0]}/")
    assert variables()["TALLYSTICK_LAKE"].startswith("s3://")


def variables() -> dict[str, str]:
    return {each["name"]: each["value"] for each in CONTAINER["env"]}


def test_settings_are_accepted() -> None:
    # Variables that Kubernetes makes of a service's name would look like settings.
    assert POD["enableServiceLinks"] is False
    of_storage = {name for name in SECRET if name.startswith("AWS_")}
    assert of_storage == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"}
    ours = {name: value for name, value in SECRET.items() if name not in of_storage}
    settings = assert_settings_are_accepted(variables() | ours)
    assert settings.log_format == "json"
    assert settings.trusted_proxy


def test_the_example_of_a_secret_has_no_secret() -> None:
    with pytest.raises(ValueError, match="padding"):
        base64.b64decode(SECRET["TALLYSTICK_SECRET_KEY"], validate=False)
    assert ":PASSWORD@" in SECRET["TALLYSTICK_DATABASE"]


def test_probes_ask_what_is_there_and_wait_for_the_answer() -> None:
    described = yaml.safe_load((ROOT / "src/tallystick/surfaces/native/openapi.yaml").read_text("utf-8"))
    probes = {name: CONTAINER[f"{name}Probe"] for name in ("startup", "readiness", "liveness")}
    assert {name: probe["httpGet"]["path"] for name, probe in probes.items()} == {
        "startup": "/health/ready",
        "readiness": "/health/ready",
        # A restart does not help against a database that is away.
        "liveness": "/health/live",
    }
    for probe in probes.values():
        assert probe["httpGet"]["path"] in described["paths"]
        assert probe["httpGet"]["port"] == CONTAINER["ports"][0]["name"]
        # The server itself answers within 3 seconds, whatever its stores do.
        assert probe["timeoutSeconds"] > 3


def test_pods_have_the_time_to_finish_what_they_accepted() -> None:
    stops = serve.TAKES_LEAVE_WITHIN_S + serve.STOPS_WITHIN_S + serve.CLOSES_WITHIN_S
    delay = int(variables()["TALLYSTICK_STOP_DELAY"])
    assert delay > 0
    assert POD["terminationGracePeriodSeconds"] >= delay + stops
    # No server ends before its follower is ready, and only one at a time.
    assert DEPLOYMENT["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert one("disruption.yaml")["spec"]["maxUnavailable"] == 1
    assert DEPLOYMENT["spec"]["replicas"] > 1
