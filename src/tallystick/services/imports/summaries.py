"""What an import has done, in words."""

from collections import Counter
from datetime import UTC, datetime

from tallystick.services.imports.running import BOTS, Report

REASONS_SHOWN = 5
CUT = "with a title or referrer that was too long and was cut"
FILE_KINDS = {"csv": "a CSV file of hits", "json": "a ZIP file of statistics", "parquet": "a Parquet file of hits"}
PROGRAMS = {"umami": "Umami", "ga4": "Google Analytics"}


def summary_parts(report: Report, left_out: Counter[str], unit: str) -> list[str]:
    """What an import did, in parts of a sentence.

    Args:
        left_out: numbers of lines that were left out on purpose, by reason.
        unit: of positions in the file.
    """
    parts = [f"{report.stored:,} hits"]
    if report.stored and report.first is not None and report.last is not None:
        parts[0] += f" from {_day(report.first)} to {_day(report.last)}"
    if kinds := _listed(Counter({BOTS: report.notes[BOTS], CUT: report.cut})):
        parts.append(f"of which {kinds}")
    if report.refused:
        reasons = "; ".join(f"{count:,} x {reason}" for reason, count in report.reasons.most_common(REASONS_SHOWN))
        parts.append(f"not accepted {report.refused:,} ({reasons})")
    if report.dropped:
        parts.append(f"dropped {_listed(Counter({**report.notes, BOTS: 0}))}")
    if listed := _listed(left_out):
        parts.append(f"left out {listed}")
    if report.bad:
        parts.append(f"could not read {report.bad:,} lines")
    if report.before:
        parts.append(f"imported before {report.before:,} {unit}")
    return parts


def annotation_of(report: Report, kind: str) -> str:
    """What the site's annotation says of an import; empty where nothing was stored.

    Args:
        kind: of the file, without its name: that may tell of the machine.
    """
    return f"Imported {summary_parts(report, Counter(), 'lines')[0]}: {kind}." if report.stored else ""


def _listed(counts: Counter[str]) -> str:
    return " and ".join(f"{count:,} {name}" for name, count in counts.most_common() if count)


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")
