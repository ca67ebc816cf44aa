"""A site with millions of hits: a year of visitors, made by DuckDB itself from a number. See README.md."""

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import servers
from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.console import Console

from tallystick.ledger import Ledger, Session, open_database
from tallystick.model.account import EVERY_SITE, Permission
from tallystick.model.session import session_of
from tallystick.services.accounts.accounts import NewAccount, account, create_account
from tallystick.services.accounts.sites import NewSite, create_site, note_hits
from tallystick.services.accounts.tokens import NewToken, create_token
from tallystick.services.analytics.names import Names, NewPath
from tallystick.warehouse.duckdb.session import DuckDbSession
from tallystick.warehouse.duckdb.store import WAREHOUSE_FILE
from tallystick.warehouse.duckdb.visits import fill
from tallystick.warehouse.duckdb.warehouse import DuckDbWarehouse

HITS, PATHS, REFERRERS, CAMPAIGNS, SITES = 10_000_000, 1_000, 200, 10, 1
EVENTS = 50
"""The rarest paths are events."""
BEGINS = 1_735_689_600
"""2025-01-01; the hits fill this year."""
YEAR_S = 365 * 86_400
AT_ONCE = 10_000_000
"""Hits that are sorted by time together. More fill the same year again, with other visits."""
MORE_HITS = 2.0
"""After its first hit a visit has an exponentially distributed number more, rounded down."""
HITS_IN_VISIT = 1 + 1 / math.expm1(1 / MORE_HITS)
HOST = "stats.example.com"
TOKEN_FILE = "token.txt"  # noqa: S105  # a name
MEMORY_MB = 3_000

# Drawn by position, so what stands here more often is drawn more often.
BROWSERS = ["Chrome"] * 9 + ["Safari"] * 4 + ["Firefox"] * 2 + ["Edge"] * 2 + ["Samsung Internet", "Opera", ""]
SYSTEMS = ["Windows"] * 7 + ["Android"] * 5 + ["iOS"] * 4 + ["macOS"] * 2 + ["Linux", ""]
COUNTRIES = [
    *["US"] * 12, *["DE"] * 4, *["GB"] * 4, *["IN"] * 4, *["FR"] * 3, *["BR"] * 2, *["NL"] * 2, *["JP"] * 2,
    "CA", "AU", "ES", "IT", "PL", "SE", "CN", "KR", "MX", "TR", "ID", "CH", "AT", "BE", "DK", "NO", "FI", "",
]  # fmt: skip
WIDTHS = [*[1920] * 4, *[390] * 3, *[360] * 3, *[1536] * 2, *[1440] * 2, 412, 393, 1366, 1280, 768, 820, 2560, 3440, 0]

# What a visit draws with: each use shifts to bits of its own.
_VISITS = """
CREATE OR REPLACE TEMP TABLE visit_drawn AS
SELECT
    hash(number) >> 16 AS session,
    {begins} + CAST(hash(number, 1) % ({year} - 10000) AS BIGINT) AS began,
    least(1 + CAST(floor(-ln(1 - (hash(number, 2) % 1000000) / 1e6) * {more}) AS INTEGER), 50) AS hits,
    CAST(hash(number, 3) >> 1 AS BIGINT) AS draw
FROM range({first}, {first} + {visits}) AS visits(number)
"""

# Half of the paths' visits go to the first dozen of them, and the same for referrers. A path comes again now and then.
# A session has the number that the warehouse would have given it.
_HITS = """
INSERT INTO hit BY NAME
SELECT * REPLACE ({begin} + min(id) OVER (PARTITION BY session) AS session) FROM (SELECT
    {before} + row_number() OVER (ORDER BY created, session, step) AS id, {site} AS site, path, session,
    row_number() OVER (PARTITION BY session, path ORDER BY step) = 1 AS first, path > {paths} - {events} AS event,
    0 AS bot, if(referred, concat('www.site-', referrer, '.example/page'), '') AS ref,
    if(referred, 'h', 'o') AS ref_scheme, if(draw % 40 = 0, 1 + draw % {campaigns}, NULL) AS campaign,
    $browsers[1 + (draw >> 8) % len($browsers)] AS browser, CAST(130 + (draw >> 14) % 12 AS VARCHAR) AS browser_version,
    $systems[1 + (draw >> 18) % len($systems)] AS system, CAST(10 + (draw >> 24) % 5 AS VARCHAR) AS system_version,
    $countries[1 + (draw >> 28) % len($countries)] AS country, '' AS region, '' AS language,
    $widths[1 + (draw >> 34) % len($widths)] AS width, if(named, concat('news-', draw % 5), '') AS utm_source,
    if(named, ['email', 'cpc', 'social'][1 + draw % 3], '') AS utm_medium, '' AS utm_content, '' AS utm_term,
    if(draw % 7 = 0, 'blog.example.com', 'example.com') AS host,
    if(named, concat('news-', draw % 5), if(referred, concat('site-', referrer, '.example'), '')) AS source,
    if(named, ['Email', 'Paid Other', 'Organic Social'][1 + draw % 3], if(referred, 'Referral', 'Direct')) AS channel,
    created
FROM (
    SELECT
        *, began + step * (15 + CAST(hash(session, step, 2) % 180 AS BIGINT)) AS created,
        CAST(floor(pow({paths}, (hash(session, step) % 1000000) / 1e6)) AS INTEGER) AS path,
        CAST(floor(pow({referrers}, (hash(session) % 1000000) / 1e6)) AS INTEGER) AS referrer,
        step = 0 AND draw % 10 >= 5 AS referred, step = 0 AND draw % 10 = 1 AS named
    FROM visit_drawn, range(hits) AS steps(step)
))
ORDER BY id
LIMIT {hits}
"""

AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]
app = App(name="hits.py", help=__doc__)
console = Console()


@app.default
def main(folder: Path, *, hits: AtLeastOne = HITS, exported: bool = False) -> None:
    """Make a data directory: a site, a token of its owner in ``token.txt``, and a year of hits.

    Args:
        folder: of the data; must not exist.
        hits: how many.
        exported: number them from 1 on, as a server does, so that exports have them. A server can add none then.
    """
    began = time.perf_counter()
    folder.mkdir(parents=True)
    asyncio.run(make(folder, hits, exported=exported))
    size = (folder / WAREHOUSE_FILE).stat().st_size
    console.print(f"{hits:,} hits in {time.perf_counter() - began:.0f} s, {size / hits:.1f} bytes each")


@contextmanager
def made(folder: Path | None, count: int) -> Iterator[Path]:
    """A folder that this program has made; without one a new one, removed at the end."""
    if folder is not None:
        yield folder
        return
    with servers.working_folder() as working:
        main(working / "data", hits=count)
        yield working / "data"


async def make(folder: Path, hits: int, *, exported: bool = False) -> None:
    """Fill a data directory; see ``main``."""
    ledger = await Ledger.open(open_database(None, folder))
    warehouse = await DuckDbWarehouse.open(folder / WAREHOUSE_FILE, memory_mb=MEMORY_MB)
    try:
        site, secret = await ledger.write(_site, ledger.clock())
        (folder / TOKEN_FILE).write_text(secret, "ascii")
        names = [f"/page-{number}" for number in range(1, PATHS - EVENTS + 1)]
        names += [f"event-{number}" for number in range(1, EVENTS + 1)]
        paths = [NewPath(name, f"Title of {name}", not name.startswith("/"), counted=True) for name in names]
        await Names(ledger).learn(site, paths, [f"Campaign {number}" for number in range(1, CAMPAIGNS + 1)])
        # Below those of hits that a server adds, which begin with 1.
        await warehouse.write(_fill, site, hits, 0 if exported else -hits)
        await ledger.write(note_hits, site, BEGINS * 1_000)  # or its pages wait for the first hit
    finally:
        await warehouse.close()
        await ledger.close()


def _site(session: Session, now: int) -> tuple[int, str]:
    person = create_account(session, NewAccount(email="bench@example.com", password="-"), now)  # noqa: S106
    site = create_site(session, person, NewSite(cname=HOST), now)
    owner = account(session, person.id)
    assert owner is not None
    wanted = NewToken(name="bench", permissions=sum(Permission), sites=(EVERY_SITE,))
    return site.id, create_token(session, owner, wanted, now)[1]


def _fill(session: DuckDbSession, site: int, hits: int, below: int) -> None:
    first = 0
    for before in range(0, hits, AT_ONCE):
        part = min(AT_ONCE, hits - before)
        # A few more than needed: the last hours of the year are cut off.
        visits = int(1.002 * part / HITS_IN_VISIT) + 10
        session.connection.execute(
            _VISITS.format(begins=BEGINS, year=YEAR_S, more=MORE_HITS, first=first, visits=visits)
        )
        session.connection.execute(
            _HITS.format(
                begin=session_of(0),
                site=site,
                paths=PATHS,
                events=EVENTS,
                campaigns=CAMPAIGNS,
                referrers=REFERRERS,
                before=below + before,
                hits=part,
            ),
            {"browsers": BROWSERS, "systems": SYSTEMS, "countries": COUNTRIES, "widths": WIDTHS},
        )
        first += visits
    session.connection.execute("UPDATE mark SET visits = false")
    fill(session.connection)


if __name__ == "__main__":
    app()
