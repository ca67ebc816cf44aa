"""The form that sends a file to import."""

import secrets
from unicodedata import category

from tallystick.errors import InputRefused
from tallystick.services.imports.exclude_rules import DEFAULT, rules
from tallystick.services.imports.logs import LOG_FORMATS, Layouts, log_reader
from tallystick.services.imports.upload_folder import UploadKind, UploadOptions
from tallystick.surfaces.dashboard.support.forms import Form
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.problems import Problems
from tallystick.warehouse import seconds

LONGEST_NAME = 120
LONGEST_OPTION = 2_000
NO_LOOK = N_("Figures cannot be looked at first. They can be removed as a whole after the import.")
OWN_FORMAT = "own"
"""The value of a log's format that is written in the form."""

KINDS: dict[UploadKind, str] = {
    UploadKind.CSV: N_("Hits as CSV, exported by Tallystick or GoatCounter"),
    UploadKind.PARQUET: N_("Hits as Parquet, exported by Tallystick"),
    UploadKind.JSON: N_("Statistics as JSON in a ZIP, exported by GoatCounter or Tallystick"),
    UploadKind.PLAUSIBLE: N_("Plausible: the ZIP with CSV files"),
    UploadKind.UMAMI: N_("Umami: the ZIP of an export, or a table as CSV"),
    UploadKind.GA4: N_("Google Analytics 4: events of BigQuery as JSON, or a report as CSV"),
    UploadKind.LOG: N_("Access log of a web server"),
}
NAMES: dict[UploadKind, str] = {
    UploadKind.CSV: "CSV",
    UploadKind.PARQUET: "Parquet",
    UploadKind.JSON: "JSON",
    UploadKind.PLAUSIBLE: "Plausible",
    UploadKind.UMAMI: "Umami",
    UploadKind.GA4: "Google Analytics",
    UploadKind.LOG: N_("Access log"),
}
FIELDS = ("kind", "format", "own_format", "exclude", "date", "time", "datetime", "website", "anew", "replace", "look")


def read_options(form: Form) -> tuple[UploadKind | None, UploadOptions, Problems]:
    """What the file is and how it is read, and messages about what cannot be."""
    kind = next((each for each in UploadKind if each.value == form.text("kind")), None)
    if kind is None:
        return None, UploadOptions(), {"kind": [N_("must be one of these")]}
    long = {name: [N_("is too long")] for name in FIELDS if len(form.text(name)) > LONGEST_OPTION}
    if long:
        return kind, UploadOptions(), long
    run = secrets.token_hex(8) if form.checked("anew") else ""
    if kind is UploadKind.LOG:
        return kind, *_log_options(form, run)
    website = form.text("website") or None if kind is UploadKind.UMAMI else None
    if kind is UploadKind.PLAUSIBLE and form.checked("look"):
        return kind, UploadOptions(), {"": [NO_LOOK]}
    replace = form.checked("replace") and kind is UploadKind.PLAUSIBLE
    return kind, UploadOptions(website=website, run=run, replace=replace), {}


def usual_fields() -> dict[str, str]:
    """The fields of the form before anything is typed."""
    return dict.fromkeys(FIELDS, "") | {"kind": "", "format": "combined", "exclude": "\n".join(DEFAULT)}


def typed_fields(form: Form) -> dict[str, str]:
    """The fields as they were typed."""
    return {name: form.text(name) for name in FIELDS}


def shown_name(name: str) -> str:
    """The name of a file without folders, and without characters that are not seen or change the direction of text."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if category(letter)[0] != "C")[-LONGEST_NAME:].strip()


def _log_options(form: Form, run: str) -> tuple[UploadOptions, Problems]:
    chosen = form.text("format")
    if chosen not in (*LOG_FORMATS, OWN_FORMAT):
        return UploadOptions(), {"format": [N_("must be one of these")]}
    layouts = Layouts(*(form.text(name) or None for name in ("date", "time", "datetime")))
    own = form.text("own_format")
    options = UploadOptions(
        format=f"log:{own.removeprefix('log:')}" if chosen == OWN_FORMAT else chosen,
        # Without any rule nothing is left out, which one empty rule says.
        exclude=tuple(filter(None, map(str.strip, form.text("exclude").splitlines()))) or ("",),
        date=layouts.date,
        time=layouts.time,
        datetime=layouts.datetime,
        run=run,
    )
    try:
        found = rules(options.exclude)
    except InputRefused as error:
        return options, {"": [str(error)], "exclude": [N_("has a rule that cannot be read")]}
    try:
        log_reader(options.format, layouts, found, seconds)
    except InputRefused as error:
        return options, {"": [str(error)], "own_format" if chosen == OWN_FORMAT else "format": [N_("cannot be read")]}
    return options, {}
