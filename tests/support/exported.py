"""A made-up export of Plausible, small enough to add up by hand."""

# ruff: noqa: E501  # header lines as they are

import zipfile
from collections.abc import Mapping
from pathlib import Path

DAYS = "20261201_20270110"

TABLES: Mapping[str, str] = {
    "visitors": """date,visitors,pageviews,bounces,visits,visit_duration
2026-12-31,10,30,4,12,1200
2027-01-01,5,9,2,5,300
2027-01-10,2,2,2,2,0
""",
    "pages": """date,hostname,page,visits,visitors,pageviews,total_scroll_depth
2026-12-31,www.example.com,/,9,8,18,120
2026-12-31,example.com,/pricing/,6,5,12,0
2027-01-01,example.com,/,5,5,9,0
2027-01-10,shop.example.com,/old,2,2,2,0
""",
    "entry_pages": """date,entry_page,visitors,entrances,visit_duration,bounces,pageviews
2026-12-31,/,7,8,800,3,20
2026-12-31,/pricing/,3,4,400,1,10
2027-01-01,/,5,5,300,2,9
""",
    "exit_pages": """date,exit_page,visitors,visit_duration,exits,bounces,pageviews
2026-12-31,/pricing,9,1000,11,4,28
2026-12-31,/,1,200,1,0,2
2027-01-01,/,5,300,5,2,9
""",
    "custom_events": """date,name,link_url,path,visitors,events
2026-12-31,Signup,,,3,4
2026-12-31,Outbound Link: Click,https://example.org/,,2,2
2027-01-01,Signup,,,1,1
2027-01-01,404,,/gone,1,3
""",
    "sources": """date,source,referrer,utm_source,utm_medium,utm_campaign,utm_content,utm_term,pageviews,visitors,visits,visit_duration,bounces
2026-12-31,Google,google.com,,,,,,20,6,7,700,2
2026-12-31,Direct / None,,,,,,,10,4,5,500,2
2027-01-01,Google,google.com,google,cpc,Spring,,,9,5,5,300,2
""",
    "locations": """date,country,region,city,visitors,visits,visit_duration,bounces,pageviews
2026-12-31,DE,DE-BE,2950159,7,8,800,3,20
2026-12-31,US,US-CA,5391959,3,4,400,1,10
2027-01-01,FR,,0,5,5,300,2,9
""",
    "devices": """date,device,visitors,visits,visit_duration,bounces,pageviews
2026-12-31,Desktop,6,7,700,2,20
2026-12-31,Laptop,1,1,100,1,4
2026-12-31,Mobile,3,4,400,1,6
2027-01-01,(not set),5,5,300,2,9
""",
    "browsers": """date,browser,browser_version,visitors,visits,visit_duration,bounces,pageviews
2026-12-31,Chrome,120.0,6,7,700,2,20
2026-12-31,Microsoft Edge,119.0,4,5,500,2,10
2027-01-01,Mobile App,,5,5,300,2,9
""",
    "operating_systems": """date,operating_system,operating_system_version,visitors,visits,visit_duration,bounces,pageviews
2026-12-31,Mac,10.15,6,7,700,2,20
2026-12-31,GNU/Linux,,4,5,500,2,10
2027-01-01,Windows,10,5,5,300,2,9
""",
}


def an_export(
    folder: Path, tables: Mapping[str, str | bytes] = TABLES, name: str = "export.zip", days: str = DAYS
) -> Path:
    """Write an export with some tables, or with files of any names that end with ``.csv``."""
    file = folder / name
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for table, text in tables.items():
            content = text.encode() if isinstance(text, str) else text
            archive.writestr(table if table.endswith(".csv") else f"imported_{table}_{days}.csv", content)
    return file


def past(text: str) -> str:
    """Two years earlier, for commands, which go by the clock."""
    return text.replace("2026", "2024").replace("2027", "2025")


def a_past_export(folder: Path, tables: Mapping[str, str] = TABLES, name: str = "export.zip") -> Path:
    """The same two years earlier."""
    return an_export(folder, {table: past(text) for table, text in tables.items()}, name, past(DAYS))
