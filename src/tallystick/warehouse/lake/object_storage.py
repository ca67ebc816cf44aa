"""How object storage is reached: by the environment that programs of Amazon's SDKs have."""

import os
from collections.abc import Mapping
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from tallystick.errors import InvalidSetting
from tallystick.warehouse.duckdb.queried import Connection
from tallystick.warehouse.duckdb.store import quoted

KEY, SECRET, TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"  # their names
REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
"""Of other storages than Amazon's, for example ``https://minio.example:9000``."""

READER_WAITS_S, MOVER_WAITS_S, COMMAND_WAITS_S = 4, 10, 30
"""How long one request to the storage may take, to its last byte: at most a file of some megabytes. DuckDB gives a file
that is sent half as much again. A reader has failed twice before a question's ten seconds are over, so that its answer
is about the storage. A mover is held up for so long by a request that is never answered, also when the storage is back;
a restore may write from afar."""
TRIED_AGAIN = 1
"""How often a failed request is repeated: a reader gives up within ten seconds, with DuckDB's defaults in two minutes.
A file is sent once more, with as many repetitions, before it has failed: a mover gives up after a minute."""


def limit_waiting(connection: Connection, *, writes: bool, of_command: bool) -> None:
    """Let an instance give a storage up that does not answer."""
    seconds = COMMAND_WAITS_S if of_command else MOVER_WAITS_S if writes else READER_WAITS_S
    connection.execute(f"SET GLOBAL http_timeout = {seconds}")
    connection.execute(f"SET GLOBAL http_retries = {TRIED_AGAIN}")


class StorageAccess(NamedTuple):
    """What the environment says of object storage.

    Attributes:
        token: of temporary credentials; empty for others.
        region: empty if it is not said.
        endpoint: URL of another storage than Amazon's; empty for that.
    """

    key: str
    secret: str
    token: str
    region: str
    endpoint: str

    @classmethod
    def of(cls, files: str, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the environment.

        Args:
            files: what is to be reached, for messages.

        Raises:
            InvalidSetting: it has no credentials, or an endpoint that is no URL.
        """
        if not environment.get(KEY) or not environment.get(SECRET):
            msg = f"--lake {files} needs credentials: set {KEY} and {SECRET} in the environment of the server"
            raise InvalidSetting(msg)
        region, endpoint = (
            next((environment[name] for name in names if environment.get(name)), "") for names in (REGIONS, ENDPOINTS)
        )
        parts = urlsplit(endpoint)
        if endpoint and (parts.scheme not in {"http", "https"} or not parts.netloc):
            msg = f"{ENDPOINTS[1]} must be a URL such as https://minio.example:9000, not {endpoint!r}"
            raise InvalidSetting(msg)
        return cls(environment[KEY], environment[SECRET], environment.get(TOKEN, ""), region, endpoint)


def add_credentials(connection: Connection, files: str, environment: Mapping[str, str] = os.environ) -> None:
    """Let an instance of DuckDB use object storage.

    Args:
        files: ``s3://BUCKET/PREFIX/``; the credentials are for nothing else.

    Raises:
        InvalidSetting: the environment has no credentials, or an endpoint that is no URL.
    """
    access = StorageAccess.of(files, environment)
    options = {"KEY_ID": access.key, "SECRET": access.secret, "SCOPE": files}
    if access.token:
        options["SESSION_TOKEN"] = access.token
    if access.region:
        options["REGION"] = access.region
    if access.endpoint:
        # Buckets have host names of their own at few storages but Amazon's.
        parts = urlsplit(access.endpoint)
        ssl = "true" if parts.scheme == "https" else "false"
        options |= {"ENDPOINT": parts.netloc, "URL_STYLE": "path", "USE_SSL": ssl}
    listed = ", ".join(f"{name} {quoted(value)}" for name, value in options.items())
    connection.execute(f"CREATE SECRET hits (TYPE s3, {listed})")
