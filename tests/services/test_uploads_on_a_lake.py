"""Uploaded files that all servers have: one server at a time imports them."""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tallystick.errors import StoreBusy
from tallystick.services.imports.upload_folder import Upload, UploadFolder, UploadKind, UploadOptions
from tallystick.services.imports.uploads import UNFINISHED_KEPT_S, Uploads

NOW_MS = 1_800_000_000_000


class Node:
    """A server with a shared folder, that is asked whether it may import."""

    def __init__(self, folder: Path, may: Sequence[bool] = ()) -> None:
        may_import = iter(may)

        class Sharing(SimpleNamespace):
            shared = True
            carries_out_jobs = property(lambda _: next(may_import))

        async def by_id(site: int) -> Any:
            return SimpleNamespace(id=site)

        nothing = cast("Any", None)
        ledger = cast("Any", SimpleNamespace(clock=lambda: NOW_MS))
        sites = cast("Any", SimpleNamespace(by_id=by_id))
        self.uploads = Uploads(ledger, cast("Any", Sharing()), sites, nothing, nothing, folder, folder / "journals")


def an_upload() -> Upload:
    return Upload(
        id="ab12",
        site=1,
        name="hits.csv",
        actor="ada@example.com",
        size=3,
        kind=UploadKind.LOG,
        options=UploadOptions(),
        created=NOW_MS,
    )


async def test_a_server_that_imports_no_more_leaves_the_file_to_another_one(tmp_path: Path) -> None:
    await asyncio.to_thread(UploadFolder(tmp_path).save, an_upload())
    node = Node(tmp_path, [True, False, False])
    with pytest.raises(StoreBusy, match="another server goes on"):
        await node.uploads.import_next()
    assert node.uploads.waits
    assert not await node.uploads.import_next()
    # From then on the record of the server that imports it counts.
    assert node.uploads.waits == ""
    upload = await asyncio.to_thread(UploadFolder(tmp_path).one, "ab12")
    assert upload is not None
    assert (upload.state, upload.pending) == ("reading", True)


async def test_a_file_that_may_still_arrive_at_another_server_stays(tmp_path: Path) -> None:
    arriving, left = tmp_path / "cd34.part", tmp_path / "ef56.part"
    for file in (arriving, left):
        file.write_bytes(b"abc")
    before = time.time() - UNFINISHED_KEPT_S - 1
    os.utime(left, (before, before))
    await Node(tmp_path).uploads.sweep()
    assert arriving.exists()
    assert not left.exists()
