"""Adds and removes one rule by which a site leaves hits out; ``model/leaving_out.py`` says what rules mean."""

from tallystick.errors import InvalidFields
from tallystick.ledger import Session
from tallystick.model.leaving_out import RuleKind
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import hold_accounts
from tallystick.services.accounts.site_rows import site as read_site
from tallystick.services.accounts.sites import SiteChanges, update_site


def add_rule(session: Session, number: int, kind: RuleKind, rule: str, now: int) -> Site:
    """Leave hits out from now on. A rule that the site has already is not added again.

    Args:
        rule: a normal one.
        now: Unix milliseconds.

    Raises:
        InvalidFields: the site has too many of the kind, or the rule is not valid; the field is ``rule``.
        InputRefused: there is no such site.
    """
    rules = _rules(session, number, kind)
    return _changed(session, number, kind, rules if rule in rules else (*rules, rule), now)


def remove_rule(session: Session, number: int, kind: RuleKind, rule: str, now: int) -> Site:
    """Count hits again from now on that a rule leaves out; one that the site does not have changes nothing.

    Args:
        now: Unix milliseconds.

    Raises:
        InputRefused: there is no such site.
    """
    rules = _rules(session, number, kind)
    return _changed(session, number, kind, tuple(each for each in rules if each != rule), now)


def rules_of_site(site: Site, kind: RuleKind) -> tuple[str, ...]:
    """The rules of a kind that a site has."""
    rules: tuple[str, ...] = getattr(site.settings, kind.value)
    return rules


def _rules(session: Session, number: int, kind: RuleKind) -> tuple[str, ...]:
    hold_accounts(session)
    site = read_site(session, number)
    return () if site is None else rules_of_site(site, kind)


def _changed(session: Session, number: int, kind: RuleKind, rules: tuple[str, ...], now: int) -> Site:
    try:
        return update_site(session, number, SiteChanges(settings={kind.value: rules}), now)
    except InvalidFields as error:
        messages = error.errors.get(f"settings.{kind.value}")
        if messages is None:
            raise
        raise InvalidFields({"rule": messages}) from error
