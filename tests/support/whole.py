"""A green run has run every test: runs that are shared out between processes go by the tests' names."""

import pytest
from schemathesis.pytest.plugin import SchemathesisFunction


class Whole:
    """Fails a run that is green although it has not run as many tests as were collected."""

    def __init__(self) -> None:
        self._ran = self._missing = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Each test that runs ends once, whatever becomes of it."""
        self._ran += report.when == "teardown"

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """A run that has ended early is red already."""
        if exitstatus == pytest.ExitCode.OK and not session.config.option.collectonly:
            self._missing = session.testscollected - self._ran
        if self._missing:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell what the exit code is about."""
        if self._missing:
            terminalreporter.write_line(f"{self._missing} tests were collected and have not run", red=True)


def name_of_its_own(item: pytest.Item) -> None:
    """Schemathesis names the tests of all operations alike, and of tests that are named alike one is shared out."""
    if isinstance(item, SchemathesisFunction) and "[" not in item.nodeid:
        assert item.parent is not None
        # pytest has no public way to change it.
        item._id = item.parent.id.child(item.originalname).with_params(item.operation_label)  # noqa: SLF001
