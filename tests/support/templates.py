"""Templates of pages, compiled once for all applications of this process."""

from types import CodeType
from typing import Any

from jinja2 import BytecodeCache
from jinja2.bccache import Bucket


class CompiledTemplates(BytecodeCache):
    """Keeps compiled templates in memory, by their text and the language of their environment."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give a template what was kept of it."""
        bucket.code = self._kept.get(_name(bucket))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what has been compiled."""
        assert bucket.code is not None
        self._kept[_name(bucket)] = bucket.code


def _name(bucket: Bucket) -> tuple[str, str, str]:
    # Filters of constants are carried out while a template is compiled, and filters speak the environment's language.
    language: Any = bucket.environment.globals["language"]
    return language.code, bucket.key, bucket.checksum
