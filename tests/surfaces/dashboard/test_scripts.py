"""The scripts of the pages stay small."""

import gzip

import pytest

from tallystick.surfaces.dashboard.support.static_files import FILES

MOST_BYTES = 6 * 1024
"""Of the scripts of one page, compressed."""


@pytest.mark.parametrize(
    "scripts",
    [
        ("statistics.js", "refresh.js", "copy.js"),
        ("origin.js", "press.js", "counters-worker.js"),
        ("origin.js", "welcome.js"),
    ],
)
def test_the_scripts_of_a_page_fit_the_budget(scripts: tuple[str, ...]) -> None:
    sizes = {name: len(gzip.compress(FILES[name].content, 9, mtime=0)) for name in scripts}
    assert sum(sizes.values()) <= MOST_BYTES, sizes


def test_every_script_is_small() -> None:
    scripts = {name: file for name, file in FILES.items() if name.endswith(".js")}
    assert all(len(gzip.compress(file.content, 9, mtime=0)) <= MOST_BYTES for file in scripts.values())


def test_scripts_write_numbers_as_the_person_chose() -> None:
    for name, file in FILES.items():
        text = file.content.decode("utf-8", "replace")
        if name.endswith(".js") and ("Intl.NumberFormat" in text or "toLocaleString" in text):
            assert '.replace(/[.,]/g, chosen.group ?? "$&")' in text, name
