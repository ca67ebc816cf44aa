"""People who share counters."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.counting_together import Person, Together, counting_together


@pytest.fixture
async def together(tmp_path: Path) -> AsyncIterator[Together]:
    """The surface in this process; limits are off."""
    async with counting_together(tmp_path) as opened:
        yield opened


@pytest.fixture
async def ada(together: Together) -> Person:
    """Somebody without a counter yet."""
    return await together.person("Ada")


@pytest.fixture
async def bob(together: Together) -> Person:
    """Somebody else."""
    return await together.person("Bob")
