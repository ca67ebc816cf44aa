"""Write what the server is made of: an SBOM (CycloneDX, JSON), and ``docs/dependencies.md`` from it.

``tools/check_wheel.py`` writes the SBOM of the clean environment that it installs, and compares the document with it.
"""

import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "dependencies.md"
BEGINNING = """# What the server is made of

Written by `python tools/make_sbom.py` from a clean environment, which `make wheel` compares with it. The versions are
pinned in `constraints.txt`; each release has an SBOM with them ([releases](releases.md)).

Tallystick itself has the licence [MIT](../LICENSE). The licences below allow to use, change and pass on their packages
together with it. Packages with LGPL or MPL are used unchanged and as packages of their own, so their conditions concern
only who changes those packages.

| package | licence |
| --- | --- |
"""

SPELLED = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
}
"""Licences that a package names only as a classifier; BSD of those that are used here has three clauses."""

STATED = {"apsw": "any-OSI", "crawler-user-agents": "MIT"}
"""Licences that packages state in a file only."""

COMPATIBLE = {
    "any-OSI",  # whichever licence of the OSI one likes
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "LGPL-3.0-only",
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "MPL-2.0",
    "PSF-2.0",
}


def write_sbom(python: Path, file: Path, epoch: str) -> Mapping[str, Any]:
    """Write the SBOM of an environment, and check it against the schema of CycloneDX. Returns it.

    Args:
        python: the environment's.
        epoch: the time that the SBOM bears, Unix seconds.

    Raises:
        CalledProcessError: it is not valid, or could not be made.
    """
    options = ("--output-reproducible", "--validate", "--of", "JSON", "--pyproject", ROOT / "pyproject.toml")
    command = (sys.executable, "-m", "cyclonedx_py", "environment", *options, "--output-file", file, python)
    subprocess.run([*map(str, command)], check=True, env={**os.environ, "SOURCE_DATE_EPOCH": epoch})
    bill: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return bill


def licences(bill: Mapping[str, Any]) -> dict[str, str]:
    """The licence of each component, by its name as packages are compared."""
    return {normalized(component["name"]): _licence(component) for component in bill["components"]}


def _licence(component: Mapping[str, Any]) -> str:
    stated = component.get("licenses", [])
    named = [entry.get("expression") or entry["license"].get("id") or entry["license"]["name"] for entry in stated]
    # A classifier beside an identifier says the same less exactly.
    exact = [name for name in named if "::" not in name] or [SPELLED.get(name, name) for name in named]
    return " OR ".join(sorted(set(exact))) or STATED.get(normalized(component["name"]), "")


def problems(bill: Mapping[str, Any], pinned: Mapping[str, str]) -> list[str]:
    """What is wrong with the components, in sentences.

    Args:
        pinned: version by normalized name.
    """
    found = []
    for component in bill["components"]:
        name, version = normalized(component["name"]), component["version"]
        if name != "tallystick" and pinned.get(name) != version:
            found.append(f"{name} {version} is not the version of constraints.txt")
    return found + [
        f"the licence of {name} is not known to be compatible: {licence or 'none is stated'}"
        for name, licence in licences(bill).items()
        if not all(set(term.strip("()").split(" OR ")) & COMPATIBLE for term in licence.split(" AND "))
    ]


def versions_pinned() -> dict[str, str]:
    """The versions of ``constraints.txt``, by normalized name."""
    lines = (ROOT / "constraints.txt").read_text("utf-8").split()
    return {normalized(name): version for name, version in (line.split("==") for line in lines)}


def normalized(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def document_of(bill: Mapping[str, Any]) -> str:
    """The text of ``docs/dependencies.md``."""
    others = sorted((name, licence) for name, licence in licences(bill).items() if name != "tallystick")
    return BEGINNING + "".join(f"| {name} | {licence} |\n" for name, licence in others)


def install(python: Path, *packages: str | Path) -> None:
    """Install packages into an environment without pip, in the pinned versions."""
    options = ("--quiet", "--no-compile", "--disable-pip-version-check", "--constraint", ROOT / "constraints.txt")
    command = (sys.executable, "-m", "pip", "--python", python, "install", *options, *packages)
    subprocess.run([*map(str, command)], check=True)


def main() -> None:
    """Write the document, and ``build/tallystick.cdx.json``."""
    (ROOT / "build").mkdir(exist_ok=True)
    with TemporaryDirectory(prefix="tallystick-sbom-") as folder:
        venv.create(folder)
        python = Path(folder) / "bin" / "python"
        install(python, ROOT)
        bill = write_sbom(python, ROOT / "build" / "tallystick.cdx.json", "0")
    DOCUMENT.write_text(document_of(bill), "utf-8")
    for problem in problems(bill, versions_pinned()):
        print(f"sbom: {problem}")


if __name__ == "__main__":
    main()
