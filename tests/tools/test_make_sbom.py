"""``tools/make_sbom.py`` finds components that are not pinned, and licences that are not known to be compatible."""

import re
import runpy
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TOOL = runpy.run_path(str(ROOT / "tools" / "make_sbom.py"))


def a_bill(*licenses: dict[str, Any], name: str = "Some_Package", version: str = "1.0") -> dict[str, Any]:
    return {"components": [{"name": name, "version": version, "licenses": list(licenses)}]}


def problems(bill: dict[str, Any]) -> list[str]:
    found: list[str] = TOOL["problems"](bill, {"some-package": "1.0"})
    return found


def test_pinned_components_with_compatible_licences_have_no_problems() -> None:
    assert not problems(a_bill({"license": {"id": "MIT"}}))
    assert not problems(a_bill({"expression": "GPL-3.0-only OR Apache-2.0"}))
    assert not problems(a_bill({"license": {"name": "License :: OSI Approved :: MIT License"}}))
    assert not problems(a_bill({"license": {"id": "MIT"}}, {"license": {"name": "License :: OSI Approved :: Odd"}}))


def test_another_version_than_the_pinned_one_is_a_problem() -> None:
    assert problems(a_bill({"license": {"id": "MIT"}}, version="1.1")) == [
        "some-package 1.1 is not the version of constraints.txt"
    ]


def test_other_licences_are_a_problem() -> None:
    unknown = "the licence of some-package is not known to be compatible"
    assert problems(a_bill({"license": {"id": "GPL-3.0-only"}})) == [f"{unknown}: GPL-3.0-only"]
    assert problems(a_bill({"expression": "MIT AND GPL-3.0-only"})) == [f"{unknown}: MIT AND GPL-3.0-only"]
    assert problems(a_bill()) == [f"{unknown}: none is stated"]


def test_the_document_lists_what_the_server_depends_on() -> None:
    table = TOOL["DOCUMENT"].read_text("utf-8").partition("| --- | --- |")[2]
    listed = set(re.findall(r"^\| (\S+) \| .+ \|$", table, re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = {TOOL["normalized"](re.split(r"[\[<>= ]", line)[0]) for line in project["dependencies"]}
    assert named <= listed
    assert listed <= set(TOOL["versions_pinned"]())
