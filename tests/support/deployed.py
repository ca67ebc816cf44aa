"""The files of ``deploy/``."""

import os
import runpy
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from tallystick.cli.doctor import OTHER_VARIABLES
from tallystick.cli.main import command_line
from tallystick.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
STAGES = runpy.run_path(str(ROOT / "tools" / "check_image.py"))["stages"]()
"""Of the Dockerfile."""


def last(verb: str) -> str:
    """What the last instruction of a kind says in the image's stage."""
    return str(STAGES[-1].last(verb))


def documents(file: str) -> list[dict[str, Any]]:
    """The documents of a YAML file."""
    return list(yaml.safe_load_all((DEPLOY / file).read_text("utf-8")))


def assert_settings_are_accepted(variables: Mapping[str, str]) -> Settings:
    """What a server makes of these ``TALLYSTICK_`` variables, each of which it must know."""
    known = {f"TALLYSTICK_{field.name.upper()}" for field in fields(Settings)} | OTHER_VARIABLES
    assert set(variables) <= known
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TALLYSTICK_")}
    with patch.dict(os.environ, kept | dict(variables), clear=True):
        _, bound, _ = command_line("serve").parse_args(["serve"])
    settings = bound.arguments.get("settings", Settings())
    assert isinstance(settings, Settings)
    return settings
