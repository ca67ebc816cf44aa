"""Programs of Debian that tests drive."""

import os
import shutil


def program(name: str) -> str:
    """A program that .ci/run installs; without it the test fails, it is never skipped."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/bin")
    assert found, f"{name} is missing: .ci/run installs it"
    return found
