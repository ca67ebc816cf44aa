"""What the operator has stopped, in CountAPI's dialect and that of our own API."""

import json
from functools import partial
from pathlib import Path

from support.in_process import in_process
from tallystick.model.key import Key
from tallystick.services.counting.abuse import close_namespace
from tallystick.services.counting.managing import freeze_public_counter


async def test_frozen_closed_and_full_are_refused(tmp_path: Path) -> None:
    async with in_process(tmp_path, namespace_keys=1) as site:
        ledger, now = site.application.ledger, site.clock()
        await site.ask("/create?namespace=mysite.com&key=frozen&enable_reset=1")
        await ledger.write(partial(freeze_public_counter, frozen=True), Key("mysite.com", "frozen"), now)
        for target, body in (
            ("/hit/mysite.com/frozen", {"value": 0}),
            ("/update/mysite.com/frozen?amount=1", {"value": 0}),
            ("/set/mysite.com/frozen?value=7", {"old_value": 0, "value": 0}),
        ):
            answer = await site.ask(target)
            assert (answer.status, answer.json()) == (403, body)
        assert (await site.ask("/get/mysite.com/frozen")).json() == {"value": 0}
        assert (await site.ask("/api/counters/mysite.com/frozen")).json()["frozen"] is True
        for target in ("/hit/mysite.com/visits", "/create?namespace=mysite.com&key=visits"):
            full = await site.ask(target)
            assert (full.status, "as many counters as one may have" in full.json()["error"]) == (403, True)
        await ledger.write(close_namespace, "closed.com", now)
        closed = await site.ask("/hit/closed.com/visits")
        assert (closed.status, "is closed" in closed.json()["error"]) == (403, True)
        names = (("mysite.com", "frozen"), ("mysite.com", "visits"), ("closed.com", "visits"))
        additions = [{"namespace": namespace, "key": key, "amount": 1} for namespace, key in names]
        added = await site.ask("/api/counters/add", method="POST", body=json.dumps({"counters": additions}).encode())
        codes = [each["error"]["code"] for each in added.json()["results"]]
        assert codes == ["frozen", "namespace-full", "namespace-closed"]
        creation = json.dumps({"namespace": "closed.com", "key": "visits"}).encode()
        refused = await site.ask("/api/counters", method="POST", body=creation)
        assert (refused.status, refused.json()["error"]["code"]) == (403, "namespace-closed")
        metrics = (await site.ask("/metrics")).text
        assert "tallystick_counters_created_total 1.0" in metrics
        assert "tallystick_counters_frozen 1.0" in metrics
        assert "tallystick_namespaces_closed 1.0" in metrics
        assert 'tallystick_refusals_total{reason="frozen",surface="countapi"} 3.0' in metrics
