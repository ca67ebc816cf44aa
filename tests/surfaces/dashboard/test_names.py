"""Values of hits have names in the language of the page."""

from importlib.resources import files

import pytest

from tallystick.model import shown_values
from tallystick.model.dimensions import DEVICE, SIZE
from tallystick.surfaces.dashboard.names.values import countries_with, shown_value
from tallystick.surfaces.dashboard.support.language import Languages

LANGUAGES = Languages.load()
ENGLISH, GERMAN = LANGUAGES.of(None, "en", ""), LANGUAGES.of(None, "de", "")
CHANNELS = {
    line.partition("|")[0].strip()
    for line in files("tallystick.services.ingest").joinpath("channels.txt").read_text("utf-8").splitlines()
    if line.strip() and not line.startswith("#")
}


@pytest.mark.parametrize(
    ("by", "value", "english", "german"),
    [
        ("country", "DE", "Germany", "Deutschland"),
        ("country", "", "(not known)", "(nicht bekannt)"),
        ("language", "deu", "German", "Deutsch"),
        ("region", "DE-BY", "Bavaria, Germany", "Bayern, Deutschland"),
        ("region", "DE-XX", "DE-XX", "DE-XX"),
        ("browser", "Firefox", "Firefox", "Firefox"),
        ("browser", shown_values.NOT_SET, "(not known)", "(nicht bekannt)"),
        ("host", shown_values.NONE, "(not known)", "(nicht bekannt)"),
        ("utm medium", shown_values.NOT_SET, "(none)", "(keine)"),
        ("source", shown_values.DIRECT, "Direct, or not known", "Direkt oder nicht bekannt"),
        ("channel", "Organic Search", "Search", "Suche"),
        ("page", "/tablet", "/tablet", "/tablet"),
        ("prop:device", "Mobile", "Mobile", "Mobile"),
    ],
)
def test_values_have_names(by: str, value: str, english: str, german: str) -> None:
    assert (shown_value(ENGLISH, by, value), shown_value(GERMAN, by, value)) == (english, german)


@pytest.mark.parametrize(
    ("by", "values"),
    [
        ("channel", CHANNELS),
        ("device", {each.name for each in DEVICE.ranges if each.name}),
        ("size", {each.name for each in SIZE.ranges}),
    ],
)
def test_every_value_that_we_give_has_a_name(by: str, values: set[str]) -> None:
    same = {value for value in values if shown_value(GERMAN, by, value) == value}
    assert same <= {"Audio", "SMS", "Tablet"}
    assert len({shown_value(GERMAN, by, value) for value in values}) == len(values)


def test_countries_are_found_by_a_part_of_their_names() -> None:
    assert countries_with(ENGLISH, "nETHER") == ("BQ", "NL")
    assert countries_with(GERMAN, "niederlande") == ("BQ", "NL")
    assert not countries_with(ENGLISH, "Atlantis")
