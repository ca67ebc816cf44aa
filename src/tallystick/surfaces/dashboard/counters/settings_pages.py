"""What an admin decides about a counter: ``/counters/{counter}/settings``."""

from functools import partial

from starlette.responses import Response

from tallystick.errors import InputRefused, InvalidFields, SharingReason, SharingRefused
from tallystick.model.shared_counter import SharedCounter
from tallystick.services.sharing.access import require
from tallystick.services.sharing.changing import ValueChange, Verb
from tallystick.services.sharing.counters import delete, edit
from tallystick.services.sharing.own_milestones import own_milestones
from tallystick.surfaces.dashboard.counters.form import MODES, edit_of, typed_details, whole_number
from tallystick.surfaces.dashboard.counters.pages import carried_out, found_or_404
from tallystick.surfaces.dashboard.counters.refusals import problems_of_refusal
from tallystick.surfaces.dashboard.support.confirmation import confirmed
from tallystick.surfaces.dashboard.support.data import as_json
from tallystick.surfaces.dashboard.support.language import N_
from tallystick.surfaces.dashboard.support.page_request import PageRequest, see_other
from tallystick.surfaces.dashboard.support.problems import NO_PROBLEMS, NOT_CONFIRMED, Problems, problems_of
from tallystick.surfaces.dashboard.support.services import PageServices

CONFIRM = N_("This counter does not count in that direction. Tick the box to set the value all the same.")


class CounterSettingsPages:
    """Changes the details of a counter, sets and resets its value, deletes it. Only admins see these pages."""

    def __init__(self, services: PageServices) -> None:
        self._services, self._sharing, self._ledger = services, services.sharing, services.ledger

    async def page(self, request: PageRequest) -> Response:
        """The forms."""
        return await self._show(request, await self._counter(request))

    async def as_json(self, request: PageRequest) -> Response:
        """The details as JSON."""
        counter = await self._counter(request)
        return as_json(
            {
                "id": counter.uid,
                "name": counter.name,
                "type": counter.type,
                "mode": counter.mode,
                "goal": counter.goal,
                "allow_exceed": counter.allow_exceed,
                "least": counter.least,
                "reset_value": counter.reset_value,
                "milestones": [each.value for each in await self._ledger.read(own_milestones, counter)],
                "date": None if counter.day is None else counter.day.isoformat(),
            }
        )

    async def change(self, request: PageRequest) -> Response:
        """Change the details."""
        counter = await self._counter(request)
        try:
            await self._sharing.write(
                partial(edit, hide_foreign=True),
                request.account.id,
                counter.uid,
                edit_of(request.form, counter),
                request.now,
            )
        except InputRefused as error:
            return await self._show(request, counter, problems_of(error), typed=True)
        except SharingRefused as refused:
            return await self._show(request, counter, problems_of_refusal(refused), typed=True)
        return see_other(f"/counters/{counter.uid}/settings?done=changed")

    async def set_value(self, request: PageRequest) -> Response:
        """Set the value."""
        counter = await self._counter(request)
        try:
            value = whole_number("value", request.form.text("value") or "nothing")
        except InvalidFields as error:
            return await self._show(request, counter, problems_of(error))
        step = ValueChange(
            counter=counter.uid, verb=Verb.SET, value=value, confirm=request.form.checked("against_mode")
        )
        return await self._carried_out(request, counter, step, "set")

    async def reset(self, request: PageRequest) -> Response:
        """Set the value to what it is reset to."""
        counter = await self._counter(request)
        return await self._carried_out(
            request, counter, ValueChange(counter=counter.uid, verb=Verb.RESET, confirm=True), "reset"
        )

    async def delete(self, request: PageRequest) -> Response:
        """Delete the counter for everyone."""
        counter = await self._counter(request)
        if not confirmed(request, counter.name):
            return await self._show(request, counter, NOT_CONFIRMED)
        try:
            await self._sharing.write(partial(delete, hide_foreign=True), request.account.id, counter.uid, request.now)
        except SharingRefused as refused:
            return await self._show(request, counter, problems_of_refusal(refused))
        return see_other("/counters?done=deleted")

    async def _carried_out(
        self, request: PageRequest, counter: SharedCounter, step: ValueChange, done: str
    ) -> Response:
        result = await carried_out(self._sharing, request, step)
        if isinstance(result, SharingRefused):
            against = result.reason is SharingReason.WRONG_TYPE and counter.type == "UpDown"
            problems: Problems = {"": [CONFIRM]} if against else problems_of_refusal(result)
            return await self._show(request, counter, problems)
        return see_other(f"/counters/{counter.uid}?done={done}")

    async def _counter(self, request: PageRequest) -> SharedCounter:
        """The counter in the path.

        Raises:
            HTTPException: there is none of which the person is an admin (404).
        """
        uid = request.http.path_params["counter"]
        return await found_or_404(self._ledger, require, request.account.id, uid, "admin")

    async def _show(
        self, request: PageRequest, counter: SharedCounter, problems: Problems = NO_PROBLEMS, *, typed: bool = False
    ) -> Response:
        own = [each.value for each in await self._ledger.read(own_milestones, counter)]
        values = {
            "counter": counter,
            "counts": counter.type == "UpDown",
            "modes": MODES,
            "typed": typed_details(counter, own, request.form if typed else None),
            "problems": problems,
            "delete_problems": problems if problems is NOT_CONFIRMED else NO_PROBLEMS,
        }
        return await self._services.show(request, "counters/settings.html", values)
