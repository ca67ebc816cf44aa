"""Values change by the rules, in order, once, and only by members; on both databases."""

from support.sharing import a_counter, change, now_as, someone
from tallystick.ledger import Ledger


async def test_an_increment_tells_the_value_after_it(ledger: Ledger) -> None:
    ada = await someone(ledger)
    counter = await a_counter(ledger, ada, value=5)
    assert await change(ledger, ada, counter) == 6
    assert await change(ledger, ada, counter, amount=10) == 16
    now = await now_as(ledger, counter)
    assert (now.value, now.version) == (16, 3)
