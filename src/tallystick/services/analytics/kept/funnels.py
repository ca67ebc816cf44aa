"""Funnels of sites. Functions of ``(session, ...)``; times in ms."""

from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from tallystick.ledger import Session
from tallystick.model.funnel import MAX_FUNNELS, Funnel, FunnelStep
from tallystick.model.kept_rules import funnel_problems
from tallystick.services.accounts.audit import EventKind
from tallystick.services.analytics.kept.keeping import (
    KeptCache,
    begin,
    changed_fields,
    check,
    check_name,
    check_room,
    log_change,
    pick,
    pick_named,
)

_encode = msgspec.json.Encoder().encode
_decode_steps = msgspec.json.Decoder(tuple[FunnelStep, ...]).decode


class FunnelChanges(Struct, frozen=True, kw_only=True):
    """Changes of a funnel; unset fields stay as they are."""

    name: str | UnsetType = UNSET
    steps: tuple[FunnelStep, ...] | UnsetType = UNSET
    strict: bool | UnsetType = UNSET


def funnels_of(session: Session, site: int) -> tuple[Funnel, ...]:
    """The funnels of a site, oldest first."""
    return tuple(
        Funnel(
            id=number,
            site=of,
            name=name,
            steps=_decode_steps(steps),
            strict=bool(strict),
            created=created,
            updated=updated,
        )
        for number, of, name, steps, strict, created, updated in session.common.funnels_of(
            session.connection, site=site
        )
    )


def create_funnel(session: Session, new: Funnel, now: int) -> Funnel:
    """Store a new funnel.

    Raises:
        InvalidFields: a field is not valid, or a step has a goal that the site does not have.
        Conflicting: another funnel has the name.
        NotThere: there is no such site.
        InputRefused: the site has too many funnels.
    """
    place, funnels = begin(session, new.site), funnels_of(session, new.site)
    new = _normal(new)
    _check(session, new)
    check_name(funnels, new, "funnel")
    check_room(len(funnels), MAX_FUNNELS, "funnels")
    funnel = replace(new, id=session.take_numbers("funnel"), created=now, updated=now)
    session.common.add_funnel(session.connection, site=funnel.site, created=now, **_columns(funnel))
    log_change(session, EventKind.FUNNEL_CREATED, now, place, funnel)
    return funnel


def change_funnel(session: Session, site: int, number: int, changes: FunnelChanges, now: int) -> Funnel:
    """Change a funnel.

    Raises:
        InvalidFields, Conflicting: as of ``create_funnel``.
        NotThere: there is no such funnel.
    """
    place, funnels = begin(session, site), funnels_of(session, site)
    funnel = _normal(replace(pick(funnels, number, "funnel"), **changed_fields(changes), updated=now))
    _check(session, funnel)
    check_name(funnels, funnel, "funnel")
    session.common.change_funnel(session.connection, site=site, **_columns(funnel))
    log_change(session, EventKind.FUNNEL_CHANGED, now, place, funnel)
    return funnel


def delete_funnel(session: Session, site: int, number: int, now: int) -> None:
    """Delete a funnel.

    Raises:
        NotThere: there is no such funnel.
    """
    place = begin(session, site)
    funnel = pick(funnels_of(session, site), number, "funnel")
    session.common.delete_funnel(session.connection, id=number, site=site)
    log_change(session, EventKind.FUNNEL_DELETED, now, place, funnel)


class Funnels:
    """The funnels of sites, behind a cache."""

    def __init__(self, cache: KeptCache) -> None:
        self._cache = cache

    async def of_site(self, site_id: int) -> tuple[Funnel, ...]:
        """The funnels of a site, oldest first.

        Raises:
            StoreUnavailable
        """
        return (await self._cache.of_sites(funnels_of, [site_id]))[site_id]

    async def get(self, site_id: int, which: int | str) -> Funnel:
        """The funnel with an id or a name.

        Raises:
            NotThere: there is none.
            StoreUnavailable
        """
        return pick_named(await self.of_site(site_id), which, "funnel")


def _normal(funnel: Funnel) -> Funnel:
    steps = tuple(
        replace(step, name=step.name.strip(), page=step.page.strip(), event=step.event.strip()) for step in funnel.steps
    )
    return replace(funnel, name=funnel.name.strip(), steps=steps)


def _check(session: Session, funnel: Funnel) -> None:
    check(funnel_problems(funnel))
    goals = {row[0] for row in session.common.goals_of(session.connection, site=funnel.site)}
    check(
        {
            f"steps/{number}": [f"the site has no goal {step.goal}"]
            for number, step in enumerate(funnel.steps)
            if step.goal and step.goal not in goals
        }
    )


def _columns(funnel: Funnel) -> dict[str, Any]:
    return {
        "id": funnel.id,
        "name": funnel.name,
        "folded": funnel.name.casefold(),
        "steps": _encode(funnel.steps).decode(),
        "strict": int(funnel.strict),
        "updated": funnel.updated,
    }
