"""Runs ``airbyte-source-plausible`` and prints what it emitted as JSON: a list of messages for each command.

Arguments: a JSON list of ``[command, config]``; commands are spec, check, discover and read.

Two things are other than in Airbyte's own image. Its framework has instances of dataclasses as defaults, which Python
refuses from 3.11 on unless they can be hashed. And configurations are not compared with the connector's own
specification, whose pattern for ``api_url`` fits no URL, not even its own example.
"""

import dataclasses
import json
import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

as_in_python_3_10 = dataclasses.dataclass


def hashable(cls: Any = None, /, **options: Any) -> Any:
    """The decorator, of classes that can be hashed."""
    if cls is None:
        return lambda decorated: hashable(decorated, **options)
    return as_in_python_3_10(cls, **options | ({} if "__hash__" in vars(cls) else {"unsafe_hash": True}))


dataclasses.dataclass = hashable

# Installed by the test, in a folder of their own.
from airbyte_cdk.entrypoint import AirbyteEntrypoint  # type: ignore[import-not-found]  # noqa: E402
from source_plausible import SourcePlausible  # type: ignore[import-not-found]  # noqa: E402

CATALOG = {
    "streams": [
        {
            "stream": {"name": "stats", "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
            "sync_mode": "full_refresh",
            "destination_sync_mode": "overwrite",
        }
    ]
}


def emitted(command: str, config: dict[str, str]) -> list[Any]:
    """The messages of one command."""
    source = SourcePlausible()
    source.check_config_against_spec = False
    if command == "check":
        # The command would compare, so it is called behind that.
        status = source.check(logging.getLogger("airbyte"), config)
        return [{"status": status.status.value, "message": status.message}]
    with TemporaryDirectory() as folder:
        files = {"config": config, "catalog": CATALOG}
        for name, content in files.items():
            Path(folder, name).write_text(json.dumps(content))
        named = {"spec": [], "discover": ["config"], "read": ["config", "catalog"]}[command]
        options = [word for name in named for word in (f"--{name}", str(Path(folder, name)))]
        messages = AirbyteEntrypoint(source).run(AirbyteEntrypoint.parse_args([command, *options]))
        return [json.loads(message) for message in messages]


logging.disable()
said = [emitted(*call) for call in json.loads(sys.argv[1])]
sys.stdout.write(json.dumps(said))
