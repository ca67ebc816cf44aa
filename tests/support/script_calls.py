"""What a page does with the counting script, and what the published one sends then: facts, not its text.

The requests were recorded once with the published ``count.v5.js`` in the same Chromium. Where ours is meant to differ,
``differs`` holds what it sends, and why.
"""

from typing import Any, NamedTuple

Request = dict[str, str]
"""Parameters of one request, but for the size, the mark of a driven browser and the random number."""


class Difference(NamedTuple):
    """Requests of ours where they are not those of the published script."""

    requests: list[Request]
    reason: str


class Case(NamedTuple):
    """One page, and what is done on it.

    Attributes:
        published: what the published script sends, in order.
        before: a script of the page's, before ours.
        settings: the tag's ``data-goatcounter-settings``.
        run: JavaScript, once the script is there.
        clicks: selectors, left of a ``:`` the button.
        at: the page's path and query.
        runs: how many times the page runs the script.
    """

    published: list[Request]
    before: str = ""
    settings: str = ""
    head: str = ""
    body: str = ""
    run: str = ""
    clicks: tuple[str, ...] = ()
    at: str = "/page"
    host: str = "www.example.test"
    runs: int = 1
    differs: Difference | None = None


PAGE: Request = {"p": "/page", "t": "Title"}
QUIET = "window.goatcounter = {no_onload: true}"


def page(**changed: str) -> Request:
    """The page's own request with other parameters."""
    return PAGE | changed


def event(path: str, title: str = "", **more: str) -> Request:
    """A click's request."""
    request = {"p": path, "t": title, "e": "true", **more}
    return {name: value for name, value in request.items() if value}


def called(arguments: str, *requests: Request, **case: Any) -> Case:
    """``goatcounter.count`` with arguments, on a page that counts nothing by itself."""
    return Case(list(requests), before=QUIET, run=f"goatcounter.count({arguments})", **case)


def given(settings: str, *requests: Request, **case: Any) -> Case:
    """Settings in the tag."""
    return Case(list(requests), settings=settings, **case)


def set_before(settings: str, *requests: Request, **case: Any) -> Case:
    """Settings in ``window.goatcounter``."""
    return Case(list(requests), before=f"window.goatcounter = {settings}", **case)


def clicked(element: str, *requests: Request, **case: Any) -> Case:
    """A click on an element, on a page that counts only that."""
    clicks = case.pop("clicks", ("left:#x",))
    return Case(list(requests), before=QUIET, body=element, run="goatcounter.bind_events()", clicks=clicks, **case)


FROM = "http://from.example.test/"
NO_WORDS = event("", "")

CASES: dict[str, Case] = {
    # Settings, in the tag and in the object.
    "nothing is set": Case([PAGE]),
    "a query": Case([page(p="/page?a=1&b=2", q="?a=1&b=2")], at="/page?a=1&b=2"),
    "tag: no_onload": given('{"no_onload": true}'),
    "tag: no_onload of false": given('{"no_onload": false}', PAGE),
    "tag: path": given('{"path": "/p"}', page(p="/p")),
    "tag: path of null": given('{"path": null}', PAGE),
    "tag: path of nothing": given('{"path": ""}', {"t": "Title"}),
    "tag: title": given('{"title": "T"}', page(t="T")),
    "tag: title of null": given('{"title": null}', PAGE),
    "tag: title of nothing": given('{"title": ""}', {"p": "/page"}),
    "tag: referrer": given('{"referrer": "r"}', page(r="r")),
    "tag: referrer of null": given('{"referrer": null}', PAGE),
    "tag: referrer of nothing": given('{"referrer": ""}', PAGE),
    "tag: event": given('{"event": true}', page(e="true")),
    "tag: event of false": given('{"event": false}', PAGE),
    "tag: all of them": given(
        '{"path": "/p", "title": "T", "referrer": "r", "event": true}', {"p": "/p", "t": "T", "r": "r", "e": "true"}
    ),
    "tag: no JSON": given("{no_onload: true", PAGE),
    "tag: no object": given("5", PAGE),
    "tag: a name of no setting": given('{"count": "x", "url": 5, "filter": 1}', PAGE),
    "object: no_onload": set_before("{no_onload: true}"),
    "object: path": set_before("{path: '/p'}", page(p="/p")),
    "object: path of null": set_before("{path: null}", PAGE),
    "object: path of nothing": set_before("{path: ''}", {"t": "Title"}),
    "object: path a function": set_before("{path: function(p) { return '/x' + p }}", page(p="/x/page")),
    "object: path a function that returns null": set_before("{path: function() { return null }}"),
    "object: path a function that returns nothing": set_before("{path: function() { return '' }}", {"t": "Title"}),
    "object: path a function that returns undefined": set_before("{path: function() {}}", {"t": "Title"}),
    "object: title a function": set_before("{title: function(t) { return t + '!' }}", page(t="Title!")),
    "object: title a function that returns null": set_before("{title: function() { return null }}", {"p": "/page"}),
    "object: title a function that returns nothing": set_before("{title: function() { return '' }}", {"p": "/page"}),
    "object: referrer a function": set_before("{referrer: function(r) { return 'r' + r }}", page(r="r")),
    "object: referrer a function that returns null": set_before("{referrer: function() { return null }}", PAGE),
    "object: event": set_before("{event: true}", page(e="true")),
    "object: an arrow function": set_before("{path: (p) => p + '/more'}", page(p="/page/more")),
    "the tag before the object": Case(
        [page(p="/tag")], before="window.goatcounter = {path: '/o'}", settings='{"path": "/tag"}'
    ),
    "both": Case([page(p="/o", t="T")], before="window.goatcounter = {path: '/o'}", settings='{"title": "T"}'),
    # Calls.
    "count()": called("", PAGE),
    "count({})": called("{}", PAGE),
    "count(null)": called("null", PAGE),
    "count: path": called("{path: '/p'}", page(p="/p")),
    "count: path undefined": called("{path: undefined}", PAGE),
    "count: path of null": called("{path: null}", PAGE),
    "count: path of nothing": called("{path: ''}", {"t": "Title"}),
    "count: path a function": called("{path: function(p) { return p + '?x' }}", page(p="/page?x")),
    "count: path a function that returns null": called("{path: function() { return null }}"),
    "count: path without a slash": called("{path: 'p'}", page(p="p")),
    "count: path with a hash": called("{path: '/a#b?c&d=é'}", page(p="/a#b?c&d=é")),
    "count: title of nothing": called("{title: ''}", {"p": "/page"}),
    "count: title of null": called("{title: null}", PAGE),
    "count: title": called("{title: 'A & B'}", page(t="A & B")),
    "count: referrer of nothing": called("{referrer: ''}", PAGE),
    "count: referrer": called("{referrer: 'https://example.com/?a=b'}", page(r="https://example.com/?a=b")),
    "count: event": called("{event: true, path: 'e'}", page(p="e", e="true")),
    "count: event of false": called("{event: false}", PAGE),
    "count: event of 1": called("{event: 1}", page(e="true")),
    "count: a path over a set one": Case(
        [page(p="/call")],
        before="window.goatcounter = {no_onload: true, path: '/set'}",
        run="goatcounter.count({path: '/call'})",
    ),
    "count: null over a set path": Case(
        [PAGE], before="window.goatcounter = {no_onload: true, path: '/set'}", run="goatcounter.count({path: null})"
    ),
    "count: nothing over a set title": Case(
        [{"p": "/page"}],
        before="window.goatcounter = {no_onload: true, title: 'T'}",
        run="goatcounter.count({title: ''})",
    ),
    "count: a set event stays one": Case(
        [page(e="true")],
        before="window.goatcounter = {no_onload: true, event: true}",
        run="goatcounter.count({event: false})",
    ),
    "count: a setting changed later": Case(
        [page(p="/later")], before=QUIET, run="goatcounter.path = '/later'; goatcounter.count()"
    ),
    "count: a page's own count() is called by clicks": Case(
        [event("own:x", "b")],
        before=QUIET,
        body="<b id=x data-goatcounter-click=x>b</b>",
        run="var old = goatcounter.count; goatcounter.count = function(v) { v.path = 'own:' + v.path; old(v) };"
        "goatcounter.bind_events()",
        clicks=("left:#x",),
    ),
    "count: twice": Case([PAGE, PAGE], run="goatcounter.count()"),
    "an application that changes its address": Case(
        [PAGE, page(p="/two?x=1", q="?x=1", t="Two")],
        run="history.pushState({}, '', '/two?x=1'); document.title = 'Two'; goatcounter.count()",
    ),
    "get_query": Case(
        [page(p="/page?ref=abc", q="?ref=abc", r="abc")],
        before="window.goatcounter = {referrer: function() { return goatcounter.get_query('ref') }}",
        at="/page?ref=abc",
    ),
    "get_query: encoded": Case(
        [page(p="/page?ref=a%20b", q="?ref=a%20b", r="a%20b")],
        before="window.goatcounter = {referrer: function() { return goatcounter.get_query('ref') }}",
        at="/page?ref=a%20b",
        differs=Difference(
            [page(p="/page?ref=a%20b", q="?ref=a%20b", r="a b")], "a value is decoded, so that it is not encoded twice"
        ),
    ),
    "get_query: not there": Case(
        [page(p="/page?a=1", q="?a=1")],
        before="window.goatcounter = {referrer: function() { return goatcounter.get_query('ref') || '' }}",
        at="/page?a=1",
    ),
    # Paths.
    "canonical": Case([page(p="/c?a=1")], head='<link rel="canonical" href="/c?a=1#h">'),
    "canonical: without www": Case([page(p="/c")], head='<link rel="canonical" href="https://example.test/c">'),
    "canonical: another host": Case([PAGE], head='<link rel="canonical" href="https://other.test/c">'),
    "canonical: without an address": Case([PAGE], head='<base href="/base/"><link rel="canonical">'),
    "canonical: empty": Case([PAGE], head='<link rel="canonical" href="">'),
    "a hash is no part of the path": Case([PAGE], at="/page#part"),
    # Where pages are.
    "host: localhost": Case([], host="localhost"),
    "host: a name under localhost": Case([], host="app.localhost"),
    "host: 127.0.0.1": Case([], host="127.0.0.1"),
    "host: 127.0.0.1, allowed": Case([PAGE], host="127.0.0.1", settings='{"allow_local": true}'),
    "host: a name that begins like an address": Case(
        [], host="10.example.test", differs=Difference([PAGE], "it is a name, and no address of a private network")
    ),
    "host: a name in which localhost stands": Case([PAGE], host="localhost.example.test"),
    # Elements.
    "click: all attributes": clicked(
        "<a id=x name=n title=t data-goatcounter-click=c data-goatcounter-title=T data-goatcounter-referrer=r>a</a>",
        event("c", "T", r="r"),
    ),
    "click: the older name of a referrer": clicked(
        "<b id=x data-goatcounter-click=c data-goatcounter-referral=r>a</b>", event("c", "a", r="r")
    ),
    "click: name": clicked("<a id=x name=n data-goatcounter-click>a</a>", event("n", "a")),
    "click: id": clicked("<b id=x data-goatcounter-click>a</b>", event("x", "a")),
    "click: title": clicked("<b id=x title=t data-goatcounter-click=c>a</b>", event("c", "t")),
    "click: content": clicked("<b id=x data-goatcounter-click=c><i>a</i> &amp; b</b>", event("c", "<i>a</i> &amp; b")),
    "click: long content": clicked(f"<b id=x data-goatcounter-click=c>{'a' * 300}</b>", event("c", "a" * 200)),
    "click: no content": clicked(
        '<input id=x type=button value=v data-goatcounter-click=c data-goatcounter-title="">', event("c", "")
    ),
    "click: no name at all": clicked(
        "<b data-goatcounter-click>a</b>", {"t": "a", "e": "true"}, clicks=("left:[data-goatcounter-click]",)
    ),
    "click: middle": clicked("<b id=x data-goatcounter-click=c>a</b>", event("c", "a"), clicks=("middle:#x",)),
    "click: inside": clicked(
        "<b id=x data-goatcounter-click=c><i>a</i></b>", event("c", "<i>a</i>"), clicks=("left:i",)
    ),
    "click: one within another": clicked(
        "<div data-goatcounter-click=out data-goatcounter-title=o><b id=x data-goatcounter-click=in>a</b></div>",
        event("in", "a"),
        event("out", "o"),
    ),
    "click: drawn": clicked(
        "<svg><rect id=x width=50 height=50 data-goatcounter-click=c data-goatcounter-title=t /></svg>",
        event("c", "t"),
    ),
    "click: twice": clicked("<b id=x data-goatcounter-click=c>a</b>", *[event("c", "a")] * 2, clicks=("left:#x",) * 2),
    "click: without an attribute": clicked("<b id=x data-goatcounter-title=t>a</b>"),
    "click: the page's path and title are not the event's": Case(
        [event("c", "a")],
        before="window.goatcounter = {no_onload: true, path: '/p', title: 'T', referrer: 'r'}",
        body="<b id=x data-goatcounter-click=c>a</b>",
        run="goatcounter.bind_events()",
        clicks=("left:#x",),
    ),
    "click: bound by itself": Case(
        [PAGE, event("c", "a")], body="<b id=x data-goatcounter-click=c>a</b>", clicks=("left:#x",)
    ),
    "click: bound twice": Case(
        [PAGE, event("c", "a")],
        body="<b id=x data-goatcounter-click=c>a</b>",
        run="goatcounter.bind_events(); goatcounter.bind_events()",
        clicks=("left:#x",),
    ),
    "click: no_events": given(
        '{"no_events": true}', PAGE, body="<b id=x data-goatcounter-click=c>a</b>", clicks=("left:#x",)
    ),
    "click: no_onload binds nothing": given(
        '{"no_onload": true}', body="<b id=x data-goatcounter-click=c>a</b>", clicks=("left:#x",)
    ),
    "click: added later": Case(
        [PAGE],
        run="document.body.insertAdjacentHTML('beforeend', '<b id=x data-goatcounter-click=c>a</b>')",
        clicks=("left:#x",),
    ),
    "click: added later and bound": Case(
        [PAGE, event("c", "a")],
        run="document.body.insertAdjacentHTML('beforeend', '<b id=x data-goatcounter-click=c>a</b>');"
        "goatcounter.bind_events()",
        clicks=("left:#x",),
    ),
    "click: a bound element that is copied": Case(
        [PAGE],
        body="<b id=y data-goatcounter-click=c>a</b>",
        run="var copy = document.querySelector('#y').cloneNode(true); copy.id = 'x';"
        "document.body.appendChild(copy); goatcounter.bind_events()",
        clicks=("left:#x",),
        differs=Difference(
            [PAGE, event("c", "a")], "what is bound is known of the element, not written in an attribute that is copied"
        ),
    ),
    # Several runs in one document, as frameworks that replace a page's content make them.
    "three runs count three times": Case([PAGE] * 3, runs=3),
    "three runs, one click": Case(
        [PAGE, PAGE, PAGE, event("c", "a")], runs=3, body="<b id=x data-goatcounter-click=c>a</b>", clicks=("left:#x",)
    ),
    "runs with settings of their own": Case(
        [page(p="/1"), page(p="/2")],
        before="window.goatcounter = {path: function() { return '/' + (window.n = (window.n || 0) + 1) }}",
        runs=2,
    ),
}
