"""A person who may read one site reads that one, in the browser and by tokens of their own, and nothing else."""

import re
from pathlib import Path

from msgspec.json import encode

from builders import NOW
from support.rights import world
from tallystick.model.account import Permission
from tallystick.services.accounts.accounts import set_access

PERIOD = "start=2020-01-01&end=2030-01-01"


async def test_a_reader_of_one_site_reads_that_site_only(tmp_path: Path) -> None:
    async with world(tmp_path) as everybody:
        analytics, reader = everybody.analytics, everybody.people["reader"].account
        own, second = everybody.sites["own"], everybody.sites["second"]
        await analytics.services.ledger.write(set_access, reader.id, {"1": "r"}, NOW)

        async def status(path: str, method: str = "GET", **fields: str) -> int:
            return (await everybody.page("reader", method, path, fields)).status

        sites = (await everybody.page("reader", "GET", "/sites.json")).json()["sites"]
        assert [site["id"] for site in sites] == [own.id]
        assert (await everybody.page("reader", "GET", "/")).headers["location"] == f"/sites/{own.cname}"
        for name, expected in ((own.cname, 200), (second.cname, 404), (f"{own.cname}+{second.cname}", 404)):
            assert await status(f"/sites/{name}") == expected, name
            assert await status(f"/sites/{name}/pages.csv") == expected, name
        assert await status(f"/sites/{own.id}/settings", "POST", cname="x.example.com") == 404
        for path in (f"/sites/{own.id}/sharing", "/people/invites", "/admin"):
            assert await status(path) == 404, path

        refused = await everybody.page(
            "reader", "POST", "/user/tokens", {"name": "more", "permission": [Permission.STATS, Permission.COUNT]}
        )
        assert refused.status == 422
        made = await everybody.page(
            "reader", "POST", "/user/tokens", {"name": "mine", "permission": [Permission.STATS]}
        )
        assert made.status == 200
        (secret,) = re.findall(r'<pre class="codes"[^>]*><code>(.*?)</code>', made.text)
        bearer = {"authorization": f"Bearer {secret}", "content-type": "application/json"}
        for site, expected in ((own, 200), (second, 401)):
            headers = {**bearer, "host": site.cname or ""}
            answer = await analytics.ask(f"/api/v0/stats/total?{PERIOD}", headers=headers)
            assert answer.status == expected, (site.cname, answer.text)
            query = {"site_id": site.cname, "metrics": ["visitors"], "date_range": "all"}
            asked = await analytics.ask("/api/query", method="POST", headers=bearer, body=encode(query))
            assert (asked.status == 200) == (site is own), (site.cname, asked.text)
        me = await analytics.ask("/api/v0/me", headers=bearer)
        assert me.status == 200
        counted = await analytics.ask(
            "/api/v0/count", method="POST", headers=bearer, body=encode({"hits": [{"path": "/x"}]})
        )
        assert counted.status == 401
