"""Files in the bucket of a lake that are no hits: what was sent to be imported, and exports.

By Amazon's own client, since DuckDB cannot remove a file; see DESIGN.md.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tallystick.errors import DatabaseUnsuitable, StoreBusy
from tallystick.warehouse.lake.object_storage import StorageAccess

FOLDER = "kept"
"""Beside the tables' folders. DuckLake removes files that no table has, but only those called ``*.parquet``."""
SUFFIX = ".file"
MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
PART_BYTES = 16 << 20
"""A larger file is sent in such parts; it appears when the last one has arrived."""
ABANDONED_AFTER_S = 24 * 3_600.0


class LakeBucket:
    """Files of one kind. All methods block, from any thread.

    Args:
        lake: ``s3://BUCKET/PREFIX``.
        kind: names the folder.
        quick: whether requests are given up after a few seconds, and not repeated.

    Raises:
        DatabaseUnsuitable: Amazon's client is missing.
        InvalidSetting: the environment has no credentials.
    """

    def __init__(
        self, lake: str, kind: str, environment: Mapping[str, str] = os.environ, *, quick: bool = False
    ) -> None:
        if find_spec("boto3") is None:
            msg = "--lake s3://... needs Amazon's client: pip install 'tallystick[nodes]'"
            raise DatabaseUnsuitable(msg)
        parts = urlsplit(lake)
        self._bucket = parts.netloc
        self._prefix = f"{parts.path.strip('/')}/{FOLDER}/{kind}/".lstrip("/")
        self._access, self._quick = StorageAccess.of(lake, environment), quick

    def put(self, name: str, file: Path) -> None:
        """Store a file, whole or not at all.

        Raises:
            StoreBusy: the storage does not answer.
        """
        with _translated():
            self._client.upload_file(str(file), self._bucket, self._key(name), Config=self._parts)

    def get(self, name: str, file: Path) -> None:
        """Write the content to a file, which appears whole.

        Raises:
            FileNotFoundError: there is none.
            StoreBusy: the storage does not answer.
        """
        with _translated():
            self._client.download_file(self._bucket, self._key(name), str(file), Config=self._parts)

    def size(self, name: str) -> int | None:
        """Bytes of a file; None if there is none.

        Raises:
            StoreBusy: the storage does not answer.
        """
        try:
            with _translated():
                return int(self._client.head_object(Bucket=self._bucket, Key=self._key(name))["ContentLength"])
        except FileNotFoundError:
            return None

    def names(self) -> Mapping[str, float]:
        """Seconds since each file was stored, by name.

        Raises:
            StoreBusy: the storage does not answer.
        """
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
        found, now = {}, time.time()
        with _translated():
            for each in (each for page in pages for each in page.get("Contents", ())):
                name = str(each["Key"]).removeprefix(self._prefix).removesuffix(SUFFIX)
                found[name] = max(0.0, now - each["LastModified"].timestamp())
        return found

    def answers(self) -> bool:
        """Whether the storage takes and shows a file now."""
        key = self._key("look")
        try:
            with _translated():
                self._client.put_object(Bucket=self._bucket, Key=key, Body=b"")
                self._client.head_object(Bucket=self._bucket, Key=key)
        except (FileNotFoundError, StoreBusy):
            return False
        return True

    def remove(self, name: str) -> None:
        """Remove a file.

        Raises:
            StoreBusy: the storage does not answer.
        """
        with _translated():
            self._client.delete_object(Bucket=self._bucket, Key=self._key(name))

    def remove_parts(self, kept_s: float = ABANDONED_AFTER_S) -> None:
        """Remove parts of files that a killed server has begun to store.

        Args:
            kept_s: how old they are at least.

        Raises:
            StoreBusy: the storage does not answer.
        """
        pages = self._client.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket, Prefix=self._prefix)
        now = time.time()
        with _translated():
            for each in (each for page in pages for each in page.get("Uploads", ())):
                if now - each["Initiated"].timestamp() >= kept_s:
                    self._remove_part(each)

    def _remove_part(self, found: Mapping[str, Any]) -> None:
        # Another server may have removed it, or completed it.
        with suppress(FileNotFoundError), _translated(missing=MISSING | {"NoSuchUpload"}):
            self._client.abort_multipart_upload(Bucket=self._bucket, Key=found["Key"], UploadId=found["UploadId"])

    def _key(self, name: str) -> str:
        return f"{self._prefix}{name}{SUFFIX}"

    # Loading the client takes half a second, so it is left to the first thread that needs it.
    @cached_property
    def _client(self) -> Any:  # noqa: ANN401  # it has no types
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415

        access = self._access
        config = Config(
            connect_timeout=3 if self._quick else 5,
            read_timeout=3 if self._quick else 12,
            retries={"mode": "standard", "max_attempts": 1 if self._quick else 2},
            # Other storages than Amazon's do not know its newer checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path" if access.endpoint else "auto"},
        )
        return boto3.session.Session(
            aws_access_key_id=access.key,
            aws_secret_access_key=access.secret,
            aws_session_token=access.token or None,
            region_name=access.region or None,
        ).client("s3", endpoint_url=access.endpoint or None, config=config)

    @cached_property
    def _parts(self) -> Any:  # noqa: ANN401  # it has no types
        from boto3.s3.transfer import TransferConfig  # noqa: PLC0415

        return TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, use_threads=False)


@contextmanager
def _translated(missing: frozenset[str] = MISSING) -> Iterator[None]:
    """Turn errors of the client into ours, without what they say of keys and hosts."""
    from boto3.exceptions import Boto3Error  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        yield
    except (BotoCoreError, Boto3Error, ClientError) as error:
        # The error of a file that was sent hides the one that it is about.
        cause = error.__context__ if isinstance(error, Boto3Error) else error
        if not isinstance(cause, ClientError):
            msg = "the storage of the lake does not answer: try again later"
            raise StoreBusy(msg) from error
        code = str(cause.response.get("Error", {}).get("Code", ""))
        if code in missing:
            raise FileNotFoundError from error
        msg = f"the storage of the lake refused {cause.operation_name}: {code}"
        raise StoreBusy(msg) from error
