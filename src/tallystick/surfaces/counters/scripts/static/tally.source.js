// Tallystick, MIT. This is the source of tally.js: tools/make_count_js.py makes it small.
((w, d, at) => {
const NAME = 'tally-count', IGNORE = 'tally-ignore', LIVE = 'aria-live', SEEN = 'visibilitychange'
// Cubot makes phones.
const ROBOT = /[^u]bot|crawl|spider/i
if (customElements.get(NAME)) return
// A module is no current script, but the stack of an error says where it came from.
const from = (d.currentScript || 0).src || (/https?:[^\s()@]*\/tally\.js/.exec(Error().stack) || [at.href])[0]
const base = new URL('.', from).href, legal = (name) => /^[\w.-]{3,64}$/.test(name)
const on = (target, type, then) => target.addEventListener(type, then)

const ignored = () => { try { return navigator.webdriver || ROBOT.test(navigator.userAgent) || localStorage.getItem(IGNORE) } catch {} }
const ignore = (wish) => {
	try {
		const before = !!localStorage.getItem(IGNORE)
		wish ? localStorage.setItem(IGNORE, 1) : localStorage.removeItem(IGNORE)
		return before != wish
	} catch {}
}
const choose = () => {
	const wish = {'#tally-ignore': true, '#tally-count': false}[at.hash]
	if (wish !== undefined && ignore(wish)) alert(wish ?
		'You are no longer counted here. #tally-count undoes it.' : 'You are counted here.')
}
choose()
on(w, 'hashchange', choose)

// A value is kept as text: numbers of JavaScript have 53 bits, counters 64.
const valueIn = (json) => (/"value":(-?\d+)/.exec(json) || 0)[1]
const ask = (path) => fetch(base + path, {credentials: 'omit', keepalive: true}).then(
	// One that is locked is refused, with its value.
	(response) => response.text().then((body) => valueIn(body) || Promise.reject(response.status)),
	() => Promise.reject('network'))
const ready = new Promise((go) => { d.readyState == 'loading' ? on(d, 'DOMContentLoaded', go) : go() })
// Pages that are made ahead of time are hidden, too.
const seen = () => new Promise((go) => { d.hidden ? on(d, SEEN, go) : go() }).then(() => d.hidden && seen())

const counted = new Map()
let page
const count = (name) => {
	const here = at.href.split('#')[0]
	if (page != here) counted.clear()
	page = here
	const before = counted.get(name)
	if (before) return before.then(() => ask('get/' + name))
	const counting = seen().then(() => ask('hit/' + name))
	counted.set(name, counting)
	counting.catch(() => counted.delete(name))
	return counting
}

const followers = new Set(), streams = new Map()
let timer, failures = 0, notBefore = 0
const plan = () => {
	clearTimeout(timer)
	timer = setTimeout(follow, Math.max(20, notBefore - Date.now()))
}
const follow = () => {
	const urls = []
	let room = 0
	for (const name of new Set(d.hidden ? [] : [...followers].map((el) => el.name))) {
		// Proxies do not take URLs of any length.
		if (!room-- || urls[0].length > 7e3) {
			urls.unshift(base + 'live?key=' + name)
			room = 99
		} else urls[0] += '&key=' + name
	}
	for (const [url, stream] of streams) if (!urls.includes(url)) {
		stream.close()
		streams.delete(url)
	}
	for (const url of urls) streams.has(url) || streams.set(url, open(url))
}
const open = (url) => {
	const stream = new EventSource(url), hear = (type, then) => on(stream, type, (e) => {
		failures = notBefore = 0
		const {key} = JSON.parse(e.data)
		for (const el of followers) if (el.name == key) then(el, e.data)
	})
	hear('message', (el, data) => el.hear(valueIn(data)))
	for (const type of ['missing', 'deleted']) hear(type, (el) => el.fail(404))
	stream.onerror = () => {
		stream.close()
		streams.delete(url)
		if (failures++) for (const el of followers) el.fail('network')
		notBefore = Date.now() + Math.min(6e4, 1e3 * 2 ** failures) * (.5 + Math.random())
		plan()
	}
	return stream
}
on(d, SEEN, () => {
	notBefore = 0
	plan()
})

let sheet
try {
	sheet = new CSSStyleSheet()
	sheet.replaceSync(':host{display:inline-block;font-variant-numeric:tabular-nums;min-width:calc(var(--tally,0)*1ch)}')
} catch {}

customElements.define(NAME, class extends HTMLElement {
	static get observedAttributes() { return ['namespace', 'key', 'mode', 'live', 'format', 'digits'] }
	static ignore(wish = true) { ignore(wish) }
	constructor() {
		super()
		const root = this.attachShadow({mode: 'open'})
		root.append(d.createElement('slot'))
		if (sheet) root.adoptedStyleSheets = [sheet]
	}
	connectedCallback() { this.attributeChangedCallback() }
	disconnectedCallback() { this.attributeChangedCallback() }
	attributeChangedCallback() { // several attributes at once, or a move, are one change
		this.due = this.due || ready.then(() => { this.due = 0; this.update() })
	}
	update() {
		const get = (name) => this.getAttribute(name), live = this.isConnected && this.hasAttribute('live')
		const namespace = get('namespace') || at.hostname, key = get('key') || '', mode = get('mode')
		const name = legal(namespace) && legal(key) && namespace + '/' + key
		this.style.setProperty('--tally', get('digits') | 0)
		if (this.name != name) this.clear()
		this.name = name
		live && name ? followers.add(this) : followers.delete(this)
		plan()
		if (!live && this.polite) this.removeAttribute(LIVE)
		const wanted = this.isConnected && [name, mode, live].join()
		const again = wanted && wanted != this.wanted
		this.wanted = wanted
		if (this.value) this.show(this.value)
		if (!again) return
		if (!name) this.fail(400)
		else if (mode == 'hit' && !ignored()) this.take(name, count(name))
		else if (!live) this.take(name, ask('get/' + name))
	}
	take(name, answer) { // what the stream has said since is newer
		answer.then((value) => this.name == name && !this.next && this.show(value), (why) => this.name == name && this.fail(why))
	}
	hear(value) { // what changes often is shown, and read out, once a second
		this.next = value
		if (this.pause) return
		this.show(value)
		this.pause = setTimeout(() => {
			this.pause = 0
			if (this.next && this.next != this.value) this.hear(this.next)
		}, 1e3)
	}
	show(value) {
		this.removeAttribute('error')
		if (!this.value) this.fallback = [...this.childNodes]
		this.value = value
		const text = this.text(BigInt(value), this.getAttribute('format'))
		if (this.textContent != text) this.textContent = text
		if (this.hasAttribute('live') && !this.hasAttribute(LIVE)) {
			this.polite = 1
			this.setAttribute(LIVE, 'polite')
		}
	}
	text(value, format) {
		const write = (lang) => value.toLocaleString(lang, format == 'compact' ? {notation: format} : {})
		try {
			return format == 'plain' ? '' + value : write((this.closest('[lang]') || d.documentElement).lang || undefined)
		} catch { // no language that there is
			return write()
		}
	}
	clear() {
		if (this.value) this.replaceChildren(...this.fallback)
		this.value = this.next = ''
	}
	fail(why) {
		if (why == 404) this.clear()
		this.setAttribute('error', why)
	}
})
})(window, document, location)
