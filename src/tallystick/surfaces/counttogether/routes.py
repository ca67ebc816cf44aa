"""Every URL of this surface."""

from collections.abc import Mapping

from tallystick.server.hot_lane import HotLane
from tallystick.services.services import Services
from tallystick.surfaces.counttogether.api.handlers import (
    batch,
    counters,
    counting,
    history,
    invites,
    live,
    members,
    tokens,
)
from tallystick.surfaces.counttogether.api.hot import AdditionLane
from tallystick.surfaces.counttogether.api.judging import CounterRoute, CountTogetherApi
from tallystick.surfaces.counttogether.authorization import Gate
from tallystick.surfaces.counttogether.realtime import events
from tallystick.surfaces.counttogether.realtime.asgi import AsgiSockets
from tallystick.surfaces.counttogether.realtime.sockets import Sockets
from tallystick.web.own_address import Located
from tallystick.web.surface import Kit

API = (
    # each with or without a slash at the end
    CounterRoute("GET", "/v1/counters", counters.list_v1),
    CounterRoute("POST", "/v1/counters", counters.create, writes=True),
    CounterRoute("GET", "/v1/counters/{id}", counters.one_v1, least="viewer"),
    CounterRoute("PUT", "/v1/counters/{id}", counters.put, writes=True, least="member"),
    CounterRoute("DELETE", "/v1/counters/{id}", counters.delete, writes=True, least="admin"),
    CounterRoute("POST", "/v1/counters/{id}/increment", counting.increment, writes=True, least="member"),
    CounterRoute("POST", "/v1/counters/{id}/decrement", counting.decrement, writes=True, least="member"),
    CounterRoute("POST", "/v1/counters/{id}/set", counting.set_, writes=True, least="admin"),
    CounterRoute("POST", "/v1/counters/{id}/reset", counting.reset, writes=True, least="admin"),
    CounterRoute("POST", "/v1/counters/{id}/undo", counting.undo, writes=True, least="member"),
    CounterRoute("GET", "/v1/counters/{id}/history", history.list_, least="viewer"),
    CounterRoute("POST", "/v1/counters/{id}/batch", batch.of_counter, writes=True, least="member"),
    CounterRoute("POST", "/v1/batch", batch.anywhere, writes=True),
    CounterRoute("GET", "/v1/counters/{id}/members", members.list_, least="viewer"),
    CounterRoute("GET", "/v1/counters/{id}/members/{userId}", members.one, least="viewer"),
    CounterRoute("PATCH", "/v1/counters/{id}/members/{userId}", members.change, writes=True, least="admin"),
    CounterRoute("DELETE", "/v1/counters/{id}/members/{userId}", members.remove, writes=True, least="viewer"),
    CounterRoute("GET", "/v1/counters/{id}/invites", invites.list_, least="admin"),
    CounterRoute("POST", "/v1/counters/{id}/invites", invites.create, writes=True, least="admin"),
    CounterRoute("DELETE", "/v1/counters/{id}/invites/{inviteId}", invites.take_back, writes=True, least="admin"),
    CounterRoute("POST", "/v1/invites/{code}/accept", invites.accept, writes=True),
    CounterRoute("GET", "/v1/tokens", tokens.list_),
    CounterRoute("POST", "/v1/tokens", tokens.create, writes=True),
    CounterRoute("DELETE", "/v1/tokens/{id}", tokens.revoke, writes=True),
    CounterRoute("POST", "/v1/tokens/{id}/rotate", tokens.rotate, writes=True),
    CounterRoute("GET", "/v1/events", events.events_v1),
    CounterRoute("POST", "/v1/ws/tickets", live.ticket),
    CounterRoute("GET", "/v1/ws", live.without_upgrade),
    CounterRoute("GET", "/v2/counters", counters.list_v2),
    CounterRoute("GET", "/v2/counters/{id}", counters.one_v2, least="viewer"),
    CounterRoute("PATCH", "/v2/counters/{id}", counters.patch, writes=True, least="member"),
    CounterRoute("POST", "/v2/counters/{id}/increment", counting.increment, writes=True, least="member"),
    CounterRoute("POST", "/v2/counters/{id}/increment/{amount}", counting.increment, writes=True, least="member"),
    CounterRoute("POST", "/v2/counters/{id}/decrement", counting.decrement, writes=True, least="member"),
    CounterRoute("POST", "/v2/counters/{id}/decrement/{amount}", counting.decrement, writes=True, least="member"),
    CounterRoute("GET", "/v2/events", events.events_v2),
    CounterRoute("GET", "/v2/ws", live.without_upgrade),
)

HOT = (b"/v1/counters/", b"/v2/counters/")
"""Beginnings of the URLs of increments and decrements, the most frequent requests."""

PREFIXES = tuple(dict.fromkeys(f"/{route.path.split('/')[1]}" for route in API))


class CountTogether:
    """The surface as ASGI applications.

    Attributes:
        sockets: the WebSockets.
        hot: the lane of increments and decrements.
    """

    def __init__(self, services: Services, kit: Kit) -> None:
        gate = Gate(services.tokens, kit.limits, kit.addresses)
        self.sockets = Sockets(services, gate, kit.addresses, kit.traffic)
        api = CountTogetherApi(services, gate, API, kit.traffic)
        self.http = Located(api, kit.own)
        self.hot: Mapping[bytes, HotLane] = dict.fromkeys(HOT, AdditionLane(services, gate, api.table, kit.traffic))
        self.websocket = Located(AsgiSockets(self.sockets), kit.own)
