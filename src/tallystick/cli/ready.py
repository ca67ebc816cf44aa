"""``tallystick ready``: the health check of containers and scripts."""

import sys

from tallystick.cli.support.data_directory import server_runs, told_address
from tallystick.cli.support.readiness import place_of, readiness_of
from tallystick.settings import StorageSettings, listen_address


def ready(*, settings: StorageSettings = StorageSettings()) -> int:
    """Exit with 0 if the server that uses the data directory can store counts, and with 1 if not.

    For health checks: it asks the server at the address where it listens, within 5 seconds, and changes nothing.
    """
    reason = _reason(settings)
    if reason is None:
        print("ready")
        return 0
    print(f"tallystick: not ready: {reason}", file=sys.stderr)
    return 1


def _reason(settings: StorageSettings) -> str | None:
    if not server_runs(settings.data):
        return f"no server uses the data directory {settings.data}"
    told = told_address(settings.data)
    if told is None:
        return "the server is starting"
    address = listen_address(told.address)
    readiness = readiness_of(address, told.base_path)
    if readiness is None:
        return f"the server does not answer at {place_of(address, told.base_path)}"
    return readiness.reason
