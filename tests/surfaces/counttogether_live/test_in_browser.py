"""A real browser on a page of another origin: tickets, first messages and EventSource."""

import pytest
from playwright.sync_api import Browser, Page

from support.live_server import LiveServer

pytestmark = pytest.mark.browser

WITH_A_TICKET = """
async ([http, ws, token, counter]) => {
  const headers = { Authorization: `Bearer ${token}` };
  const { ticket } = await (await fetch(`${http}/v1/ws/tickets`, { method: "POST", headers })).json();
  const socket = new WebSocket(`${ws}/v2/ws?ticket=${ticket}`);
  await new Promise((open, error) => { socket.onopen = open; socket.onclose = error; });
  const told = new Promise((message) => { socket.onmessage = (event) => message(JSON.parse(event.data)); });
  await fetch(`${http}/v1/counters/${counter}/increment`, { method: "POST", headers });
  return (await told).params.value;
}
"""

BY_FIRST_MESSAGE = """
async ([http, ws, token, counter]) => {
  const socket = new WebSocket(`${ws}/v2/ws`);
  const told = [];
  const enough = new Promise((done) => {
    socket.onmessage = (event) => { told.push(JSON.parse(event.data)); if (told.length === 2) done(); };
  });
  await new Promise((open, error) => { socket.onopen = open; socket.onclose = error; });
  socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "authenticate", params: { token } }));
  while (!told.length) await new Promise((again) => setTimeout(again, 5));
  const headers = { Authorization: `Bearer ${token}` };
  await fetch(`${http}/v1/counters/${counter}/increment`, { method: "POST", headers });
  await enough;
  return [told[0].result, told[1].params.value];
}
"""

PUBLIC = """
async ([http]) => {
  await fetch(`${http}/hit/example.com/followed`);
  const told = [];
  const events = new EventSource(`${http}/live/example.com/followed`);
  await new Promise((done, error) => {
    events.onerror = error;
    events.onmessage = (event) => {
      told.push([event.lastEventId, JSON.parse(event.data).value]);
      if (told.length === 1) fetch(`${http}/hit/example.com/followed`);
      else done();
    };
  });
  events.close();
  return told;
}
"""


@pytest.fixture(scope="module")
def page(browser: Browser, server: LiveServer) -> Page:
    opened = browser.new_page()
    # The same machine by another name is another origin.
    opened.goto(server.url.replace("127.0.0.1", "localhost") + "/health/live")
    return opened


def test_a_ticket_opens_a_socket(page: Page, server: LiveServer) -> None:
    ada = server.person()
    counter = ada.new_counter()
    assert page.evaluate(WITH_A_TICKET, [server.url, server.sockets_url, ada.token, counter]) == 1


def test_a_first_message_says_whose_socket_it_is(page: Page, server: LiveServer) -> None:
    ada = server.person()
    counter = ada.new_counter()
    told = page.evaluate(BY_FIRST_MESSAGE, [server.url, server.sockets_url, ada.token, counter])
    assert told == [True, 1]


def test_an_event_source_follows_a_public_counter(page: Page, server: LiveServer) -> None:
    assert page.evaluate(PUBLIC, [server.url]) == [["1", 1], ["2", 2]]
