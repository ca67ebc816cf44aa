"""Tokens that commands give themselves for a moment."""

from builders import NOW
from support.analytics import Analytics
from tallystick.model.account import Permission
from tallystick.services.accounts.lent_tokens import LEFT_BEHIND_MS, NAME, lend_token, take_back
from tallystick.services.accounts.tokens import tokens_of


async def names_of(analytics: Analytics) -> list[str]:
    held = await analytics.services.ledger.read(tokens_of, analytics.prepared.account.id)
    return [token.name for token in held]


async def test_a_lent_token_reads_one_site_until_it_is_taken_back(analytics: Analytics) -> None:
    write = analytics.services.ledger.write
    number, secret = await write(lend_token, analytics.site, Permission.STATS, NOW)
    assert await names_of(analytics) == ["test", NAME]
    assert (await analytics.api("GET", "/stats/total", token=secret)).status == 200
    assert (await analytics.api("GET", "/sites", token=secret)).status == 403
    await write(take_back, number)
    assert await names_of(analytics) == ["test"]
    assert (await analytics.api("GET", "/stats/total", token=secret)).status == 401


async def test_tokens_of_killed_commands_are_removed_by_the_next(analytics: Analytics) -> None:
    write = analytics.services.ledger.write
    await write(lend_token, analytics.site, Permission.STATS, NOW)
    await write(lend_token, analytics.site, Permission.STATS, NOW + LEFT_BEHIND_MS)
    assert await names_of(analytics) == ["test", NAME, NAME]
    await write(lend_token, analytics.site, Permission.STATS, NOW + LEFT_BEHIND_MS + 1)
    assert await names_of(analytics) == ["test", NAME, NAME]
