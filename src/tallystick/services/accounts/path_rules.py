"""Adds, moves and removes one rule by which a site counts pages under one path; see ``model/path_rules.py``."""

from tallystick.errors import InvalidFields
from tallystick.ledger import Session
from tallystick.model.path_rules import normal_path_rule, path_rule_problem
from tallystick.model.site import Site
from tallystick.services.accounts.accounts import hold_accounts
from tallystick.services.accounts.site_rows import site as read_site
from tallystick.services.accounts.sites import SiteChanges, update_site


def valid_path_rule(text: str) -> str:
    """A rule as a site keeps it.

    Raises:
        InvalidFields: it is not valid; the field is ``rule``.
    """
    rule = normal_path_rule(text)
    if problem := path_rule_problem(rule):
        raise InvalidFields({"rule": [problem]})
    return rule


def put_path_rule(session: Session, number: int, text: str, now: int, place: int | None = None) -> Site:
    """Count pages under one path from now on. A rule that the site has already is moved.

    Args:
        now: Unix milliseconds.
        place: of the rule among the others, from 0; None for the last one, or for where it is.

    Raises:
        InvalidFields: the site has too many rules, or the rule is not valid; the field is ``rule``.
        InputRefused: there is no such site.
    """
    rule, rules = valid_path_rule(text), _rules(session, number)
    if place is None:
        return _changed(session, number, rules if rule in rules else [*rules, rule], now)
    others = [each for each in rules if each != rule]
    place = max(place, 0)
    return _changed(session, number, [*others[:place], rule, *others[place:]], now)


def remove_path_rule(session: Session, number: int, text: str, now: int) -> Site:
    """Count pages under their own paths again from now on; a rule that the site does not have changes nothing.

    Args:
        now: Unix milliseconds.

    Raises:
        InputRefused: there is no such site.
    """
    rule = normal_path_rule(text)
    return _changed(session, number, [each for each in _rules(session, number) if each != rule], now)


def _rules(session: Session, number: int) -> list[str]:
    hold_accounts(session)
    site = read_site(session, number)
    return [] if site is None else list(site.settings.path_rules)


def _changed(session: Session, number: int, rules: list[str], now: int) -> Site:
    try:
        return update_site(session, number, SiteChanges(settings={"path_rules": tuple(rules)}), now)
    except InvalidFields as error:
        messages = error.errors.get("settings.path_rules")
        if messages is None:
            raise
        raise InvalidFields({"rule": messages}) from error
