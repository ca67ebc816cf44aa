// Tallystick, MIT
(function (w, d, at) {
var gc = w.goatcounter = w.goatcounter || {}, tag = d.querySelector('script[data-goatcounter]'),
	set, done, key

try { set = JSON.parse(data(tag, '-settings')) } catch (bad) {}
for (key in set) gc[key] = set[key]

function data(el, name) { return el && el.getAttribute('data-goatcounter' + name) }
function endpoint() { return data(tag, '') || gc.endpoint }
function on(el, type, then) { el.addEventListener(type, then) }
function bare(url) { return url.hostname.replace(/^www\./, '') }

function skipped() { try { return localStorage.skipgc == 't' } catch (blocked) {} }
function toggle() {
	if (at.hash != '#toggle-goatcounter') return
	localStorage.skipgc = skipped() ? 'f' : 't'
	alert(skipped() ? 'Not counting you' : 'Counting you')
}

function bot() {
	return w.callPhantom || w._phantom || w.phantom ? 150 : w.__nightmare ? 151 :
		/__(selenium|\w*driver)_/.test(Object.keys(d)) ? 152 : navigator.webdriver ? 153 : 0
}

function path() {
	var url = d.createElement('a')
	url.href = (d.querySelector('link[rel=canonical]') || at).href
	if (bare(url) != bare(at)) url = at
	return url.pathname + url.search
}

function query(all) {
	var text = '', key
	for (key in all) if (all[key] || all[key] === 0) text += (text ? '&' : '?') + key + '=' + encodeURIComponent(all[key])
	return text
}

gc.filter = function () {
	return d.visibilityState == 'prerender' ? 'visibilityState' :
		!gc.allow_frame && w != parent ? 'frame' :
		!gc.allow_local && at.protocol == 'file:' ? 'localfile' :
		!gc.allow_local && /^(localhost|(0\.0|10|127|192\.168|172\.(1[6-9]|2\d|3[01]))\.[\d.]+)$/.test(at.hostname) ? 'localhost' :
		skipped() ? 'disabled with #toggle-goatcounter' : false
}

gc.get_query = function (name) { return new URLSearchParams(at.search).get(name) }

gc.get_data = function (opt) {
	function pick(key, usual) {
		var value = opt && key in opt ? opt[key] : gc[key]
		return value && value.call ? value(usual) : value || usual
	}
	return {
		p: pick('path', path()), r: pick('referrer', d.referrer), t: pick('title', d.title), e: !!pick('event'),
		s: screen.width, b: bot(), q: at.search, ns: pick('no_session')
	}
}

gc.url = function (opt) {
	var all = gc.get_data(opt)
	if (all.p && endpoint()) return endpoint() + query(all) + '&rnd=' + Math.random()
}

gc.count = function (opt) {
	var why = gc.filter(), url = !why && gc.url(opt), img = new Image
	if (!url) return console.warn('not counted: ' + (why || 'no path or endpoint'))
	if (navigator.sendBeacon && navigator.sendBeacon(url)) return
	img.src = url
	img.hidden = true
	img.onload = function () { img.remove() }
	d.documentElement.appendChild(img)
}

function clicked() {
	gc.count({
		event: true,
		path: data(this, '-click') || this.name || this.id,
		title: data(this, '-title') || this.title || this.innerHTML.slice(0, 200).replace(/[\uD800-\uDBFF]$/, ''), // half an emoji
		referrer: data(this, '-referrer') || data(this, '-referral'),
		no_session: /^(1|t|true)$/.test(data(this, '-no-session'))
	})
}

gc.bind_events = function () {
	[].forEach.call(d.querySelectorAll('[data-goatcounter-click]'), function (el) {
		on(el, 'click', clicked)
		on(el, 'auxclick', clicked)
	})
}

gc.visit_count = function (opt) {
	opt = opt || {}
	var type = opt.type || 'html', el = d.createElement(type == 'html' ? 'iframe' : 'img'), key
	el.width = 200
	el.height = opt.no_branding ? 60 : 80
	el.src = endpoint() + 'er/' + encodeURIComponent(opt.path || path()) + '.' + type +
		query({no_branding: opt.no_branding, style: opt.style, start: opt.start, end: opt.end})
	for (key in opt.attr) el.setAttribute(key, opt.attr[key])
	d.querySelector(opt.append || 'body').appendChild(el)
}

function load() {
	if (!done && !gc.no_onload && !d.hidden) done = 1, gc.count()
}
function start() {
	toggle()
	load()
	on(d, 'visibilitychange', load)
	if (!gc.no_events) gc.bind_events()
}
on(w, 'hashchange', toggle)
on(w, 'pageshow', function (e) { if (e.persisted) done = 0, load() }) // bfcache
d.readyState == 'loading' ? on(d, 'DOMContentLoaded', start) : start()
})(window, document, location)
