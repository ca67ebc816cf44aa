"""How DuckDB reaches object storage: by the environment that programs of Amazon's SDKs have."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from tallystick.errors import InvalidSetting
from tallystick.warehouse.duckdb.queried import Connection
from tallystick.warehouse.duckdb.store import quoted

KEY, SECRET, TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"  # their names
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""Of other storages than Amazon's, for example ``https://minio.example:9000``."""


def add_credentials(connection: Connection, files: str, environment: Mapping[str, str] = os.environ) -> None:
    """Let an instance use object storage.

    Args:
        files: ``s3://BUCKET/PREFIX/``; the credentials are for nothing else.

    Raises:
        InvalidSetting: the environment has no credentials, or an endpoint that is no URL.
    """
    if not environment.get(KEY) or not environment.get(SECRET):
        msg = f"--lake {files} needs credentials: set {KEY} and {SECRET} in the environment of the server"
        raise InvalidSetting(msg)
    options = {"KEY_ID": environment[KEY], "SECRET": environment[SECRET], "SCOPE": files}
    if token := environment.get(TOKEN):
        options["SESSION_TOKEN"] = token
    if region := next((environment[name] for name in REGIONS if environment.get(name)), ""):
        options["REGION"] = region
    if endpoint := next((environment[name] for name in ENDPOINTS if environment.get(name)), ""):
        options |= _endpoint(endpoint)
    listed = ", ".join(f"{name} {quoted(value)}" for name, value in options.items())
    connection.execute(f"CREATE SECRET hits (TYPE s3, {listed})")


def _endpoint(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        msg = f"{ENDPOINTS[1]} must be a URL such as https://minio.example:9000, not {url!r}"
        raise InvalidSetting(msg)
    # Buckets have host names of their own at few storages but Amazon's.
    ssl = "true" if parts.scheme == "https" else "false"
    return {"ENDPOINT": parts.netloc, "URL_STYLE": "path", "USE_SSL": ssl}
