"""Regions have names in the language of the page."""

import json

import pytest

from tallystick.services.analytics.display_names import countries
from tallystick.services.ingest.countries import location_of
from tallystick.surfaces.dashboard.names.regions import region_name
from tallystick.surfaces.dashboard.support.rendering import FOLDER

ENGLISH = json.loads((FOLDER / "names" / "regions.en.json").read_text("utf-8"))
GERMAN = json.loads((FOLDER / "names" / "regions.de.json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("language", "code", "name"),
    [
        ("en", "DE-BY", "Bavaria"),
        ("de", "DE-BY", "Bayern"),
        ("de", "DE-BE", "Berlin"),
        ("de", "US-TX", "Texas"),
        ("xx", "US-CA", "California"),
    ],
)
def test_regions_have_names(language: str, code: str, name: str) -> None:
    assert region_name(language, code) == name


@pytest.mark.parametrize("code", ["", "DE-XX", "<script>", "en"])
def test_other_texts_stay_as_they_are(code: str) -> None:
    assert region_name("de", code) == code


def test_codes_are_those_that_hits_have() -> None:
    for code in ENGLISH:
        assert "-".join(location_of(code)) == code
        assert code[:2] in countries()


def test_german_names_are_of_known_regions_and_differ() -> None:
    assert all(ENGLISH[code] != name for code, name in GERMAN.items())


def test_names_are_clean() -> None:
    names = [*ENGLISH.values(), *GERMAN.values()]
    assert all(name == name.strip() and not set(name) & set('<>"²³†') for name in names)
