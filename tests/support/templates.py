"""Templates of pages, compiled once for all applications of a test run, whichever process they are in."""

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemBytecodeCache
from jinja2.bccache import Bucket

from tallystick.surfaces.dashboard.support import rendering


class CompiledTemplates(FileSystemBytecodeCache):
    """Keeps compiled templates in files, by their text and the language of their environment."""

    def _get_cache_filename(self, bucket: Bucket) -> str:
        # Filters of constants are carried out while a template is compiled, and they speak the environment's language.
        language: Any = bucket.environment.globals["language"]
        return str(Path(self.directory) / f"{language.code}-{bucket.key}-{bucket.checksum}")

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template, unless nothing can be written, as on the full disks of some tests."""
        with suppress(OSError):
            super().dump_bytecode(bucket)


def keep_compiled_templates(folder: Path) -> None:
    """Applications of this process, and of those that are forked for it, keep them in a folder from now on."""
    Kept.folder = folder
    vars(rendering)["Environment"] = partial(Environment, bytecode_cache=CompiledTemplates(str(folder)))


class Kept:
    """Where compiled templates are kept, if they are.

    Attributes:
        folder: the same in each process of a run.
    """

    folder: Path | None = None
