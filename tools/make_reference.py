"""Write docs/reference.md: every setting, rate limit, metric and log event, as the code has them.

python tools/make_reference.py
"""

import ast
import asyncio
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple, get_args, get_origin

from cyclopts import Argument
from prometheus_client.core import Metric

from tallystick.app import SURFACES, Application
from tallystick.cli.serve import app
from tallystick.server.limits import ConnectionCounts
from tallystick.settings import Settings
from tallystick.surfaces.native.metrics import TallystickCollector
from tallystick.web.surface import default_rates
from tallystick.web.traffic import Traffic

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "src" / "tallystick"
REFERENCE = ROOT / "docs" / "reference.md"
LEVELS = ("debug", "info", "warning", "error", "exception", "critical")

HEAD = """\
# Reference: settings, metrics, log events

Written by `python tools/make_reference.py` from the code; a test fails when it is out of date. What the settings are
for is told in [operating a server](operating.md).

## Settings

Each setting is an option of `tallystick serve`, a variable, and a key of `tallystick.toml` (the option's name without
the dashes in front, `counter_lifetime` for `--counter-lifetime`). An option takes precedence over a variable, a
variable over the file. The settings without a variable are for one start only.
"""
RATES = """
## Rate limits

Names for `--rate-limit NAME:N/SECONDS`, with their defaults.
"""
METRICS = """
## Metrics

`GET /metrics`, in the format of Prometheus. Counters have the suffix `_total` there; histograms `_bucket`, `_sum` and
`_count`.
"""
EVENTS = """
## Log events

On standard error, as text or (`--log-format json`) as JSON with the event as `event`. Errors with a traceback have it
in `exception`.
"""


class LogEvent(NamedTuple):
    """A call that writes a log line.

    Attributes:
        fields: that come with the event.
    """

    event: str
    level: str
    fields: tuple[str, ...]


def reference() -> str:
    """The whole page."""
    return "".join(
        (
            HEAD,
            table(("option", "variable", "default", "what it does"), map(setting_row, settings())),
            RATES,
            table(("name", "requests", "seconds", "counted"), rate_rows()),
            METRICS,
            table(("metric", "type", "labels", "what it says"), map(metric_row, asyncio.run(metrics()))),
            EVENTS,
            table(("event", "level", "fields"), map(event_row, log_events())),
        )
    )


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table of Markdown."""
    lines = [head, ("---",) * len(head), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    return "\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def settings() -> Iterator[Argument]:
    """The options of ``tallystick serve``."""
    return (argument for argument in app.assemble_argument_collection(parse_docstring=True) if argument.show)


def setting_row(argument: Argument) -> tuple[str, ...]:
    """A setting: its option, variable, default and description."""
    parameter, default = argument.parameter, argument.field_info.default
    shown = parameter.show_default
    text = "" if shown is False or default in (None, ()) else str(shown(default) if callable(shown) else default)
    if isinstance(default, bool):
        text = "on" if default else "off"
    value = parameter.metavar or "|".join(get_args(argument.hint) if get_origin(argument.hint) is Literal else ())
    return (
        f"`{argument.names[0]} {value}".rstrip() + "`",
        ", ".join(f"`{name}`" for name in parameter.env_var or ()),
        f"`{text}`" if text else "",
        " ".join((parameter.help or "").split()),
    )


def rate_rows() -> Iterator[tuple[str, ...]]:
    """The rate limits of all surfaces."""
    for rate in default_rates(SURFACES):
        yield f"`{rate.name}`", str(rate.amount), str(rate.seconds), rate.counts


async def metrics() -> list[Metric]:
    """The families that a new server collects."""
    with tempfile.TemporaryDirectory() as directory:
        application = await Application.open(Settings(data=Path(directory)))
        try:
            return list(TallystickCollector(application.services, Traffic(), ConnectionCounts()).collect())
        finally:
            await application.close()


def metric_row(family: Metric) -> tuple[str, ...]:
    """A family: its name, type, labels and description."""
    labels = getattr(family, "_labelnames", ())
    return f"`{family.name}`", family.type, ", ".join(f"`{label}`" for label in labels), family.documentation


def log_events() -> list[LogEvent]:
    """Every log line of the code, by its text; calls with the same text and level are one.

    Raises:
        ValueError: an event is not a plain text, so it cannot be listed.
    """
    found: dict[tuple[str, str], set[str]] = {}
    for path in sorted(SOURCES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level), args=[event]) if (
                    level in LEVELS
                ):
                    fields = {keyword.arg for keyword in node.keywords if keyword.arg and keyword.arg != "exc_info"}
                    key = ast.literal_eval(event), "error" if level == "exception" else level
                    found.setdefault(key, set()).update(fields)
    return sorted(LogEvent(event, level, tuple(sorted(fields))) for (event, level), fields in found.items())


def event_row(event: LogEvent) -> tuple[str, ...]:
    """A log event: its text, level and fields."""
    return event.event, event.level, ", ".join(f"`{field}`" for field in event.fields)


if __name__ == "__main__":
    REFERENCE.write_text(reference(), "utf-8")
    print(REFERENCE.relative_to(ROOT))
