"""Tests of generated requests are built when they run: at collection, each process would build those of all."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import pytest
from hypothesis import given, strategies
from schemathesis.pytest import _test_builder
from schemathesis.pytest.plugin import SchemathesisFunction

_build = _test_builder.build_operation_test


def build_when_they_run() -> None:
    """From now on, Schemathesis collects tests that have no requests yet."""
    _test_builder.build_operation_test = _unbuilt


def _unbuilt(*, test_func: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A test of an operation: what its collection looks at, its name and its fixtures."""

    @given(case=strategies.none())
    @wraps(test_func)
    def unbuilt(**_fixtures: Any) -> None:
        pytest.fail("this test was not built")

    unbuilt.build = partial(_build, test_func=test_func, **options)  # type: ignore[attr-defined]
    return unbuilt


def built(item: pytest.Item) -> None:
    """Make the requests of a test that is about to run."""
    if isinstance(item, SchemathesisFunction) and hasattr(item.obj, "build"):
        item.obj = item.obj.build()
