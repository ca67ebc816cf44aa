"""The form that starts an export."""

from datetime import UTC, datetime
from typing import get_args

from msgspec import Struct

from tallystick.model.export import ExportFormat
from tallystick.surfaces.dashboard.support.forms import Form, number_in
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.problems import Problems

DIGITS = 18
"""Of the id of a hit, which has 63 bits."""

FORMATS: dict[ExportFormat, str] = {
    "csv": N_("Hits as CSV, which Tallystick and GoatCounter can import"),
    "parquet": N_("Hits as Parquet, with everything that is stored of them"),
    "json": N_("Statistics as JSON, in a ZIP"),
}
NAMES: dict[ExportFormat, str] = {"csv": "CSV", "parquet": "Parquet", "json": "JSON"}


class ExportFields(Struct, frozen=True, kw_only=True):
    """What is exported; see ``Exports.create``."""

    form: ExportFormat
    start_id: int | None = None
    start_day: int | None = None


def read_fields(form: Form) -> tuple[ExportFields | None, Problems]:
    """The fields of the form; None with messages about those that cannot be."""
    found = next((each for each in get_args(ExportFormat) if each == form.text("format")), None)
    if found is None:
        return None, {"format": [N_("must be one of these")]}
    start_id, start_day, problems = None, None, {}
    if form.text("which") in ("last", "after"):
        text = form.text("last") if form.text("which") == "last" else form.text("after")
        start_id = number_in(text, DIGITS)
        if start_id is None:
            problems["after"] = [N_("must be the number of a hit, as a list of exports shows it")]
        elif found == "json":
            problems["after"] = [N_("is for hits; statistics are chosen by their first day")]
    if text := form.text("since"):
        try:
            start_day = 1_000 * int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
        except ValueError:
            problems["since"] = [N_("must be a date such as 2026-03-10")]
        if found != "json":
            problems["since"] = [N_("is for statistics as JSON; hits are chosen by their number")]
    return (None if problems else ExportFields(form=found, start_id=start_id, start_day=start_day)), problems
