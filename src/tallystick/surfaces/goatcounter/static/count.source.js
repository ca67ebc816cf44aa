// Tallystick, MIT. This is the source of count.js: tools/make_count_js.py makes it small.
(function(w, d, at) {
var TYPES = '7z|avi|csv|dmg|docx|exe|gz|key|midi|mov|mp(3|4|eg)|pdf|pkg|pps|pptx?|rar|rtf|txt|wav|wm[av]|xlsx|zip'
var gc = w.goatcounter = w.goatcounter || {}, doc = d._gc = d._gc || {click: click}, // of all runs
	enc = encodeURIComponent, set, key

try { set = JSON.parse(tag().goatcounterSettings) } catch(e) {}
for (key in set) gc[key] = set[key]
function tag() { return (d.querySelector('script[data-goatcounter]') || {dataset: 0}).dataset }
function on(el, type, then, early) { el.addEventListener(type, then, early) }
function ready(then) { d.readyState == 'loading' ? on(d, 'DOMContentLoaded', then) : then() }

function skipped() { try { return localStorage.skipgc == 't' } catch(e) {} }
function toggle() {
	if (doc.at == (doc.at = at.href) || at.hash != '#toggle-goatcounter') return
	localStorage.skipgc = skipped() ? '' : 't'
	alert(skipped() ? 'Not counting you' : 'Counting you')
}

function elsewhere(link) { return link.hostname.replace(/^www\./, '') != at.hostname.replace(/^www\./, '') }
function path() {
	var url = d.createElement('a')
	url.href = (d.querySelector('link[rel=canonical][href]') || at).href
	if (elsewhere(url)) url = at
	return url.pathname + url.search
}
function query(all) {
	var text = ''
	for (key in all) if (all[key] || all[key] === 0) text += (text ? '&' : '?') + key + '=' + enc(all[key])
	return text
}

gc.filter = function() {
	return d.visibilityState == 'prerender' ? 'visibilityState' : !gc.allow_frame && w != parent ? 'frame' :
		!gc.allow_local && (at.protocol == 'file:' ? 'localfile' :
		/localhost$|^(0\.0|10|127|192\.168|172\.(1[6-9]|2\d|3[01]))\.[\d.]+$/.test(at.hostname) && 'localhost') ||
		!!skipped() && 'disabled with #toggle-goatcounter'
}
gc.get_query = function(name) { return new URLSearchParams(at.search).get(name) }
gc.get_data = function(opt) {
	opt = opt || {}
	function pick(key, own) {
		var value = opt[key] === undefined ? gc[key] : opt[key]
		return value == null ? own : value.call ? value(own) : value
	}
	var props = pick('props'), data = {
		p: pick('path', path()), r: pick('referrer', d.referrer), t: pick('title', d.title), e: !!(opt.event || gc.event),
		s: screen.width, b: w.callPhantom || w._phantom || w.phantom ? 150 : w.__nightmare ? 151 :
		/__(selenium|\w*driver)_/.test(Object.keys(d)) ? 152 : navigator.webdriver ? 153 : 0,
		q: at.search, ns: opt.no_session
	}
	if (props) data.props = props.trim ? props : JSON.stringify(props) // JSON already, where it is a text
	if (opt.page) data.page = opt.page
	return data
}
gc.url = function(opt) {
	var all = gc.get_data(opt), to = tag().goatcounter || gc.endpoint
	if (all.p !== null && to) return to + query(all) + '&rnd=' + Math.random()
}
gc.count = function(opt) {
	var why = gc.filter(), url = !why && gc.url(opt)
	if (!url) return console.warn('not counted: ' + (why || 'no path or endpoint'))
	if (!navigator.sendBeacon || !navigator.sendBeacon(url)) new Image().src = url
}
function click() {
	var el = this, set = el.dataset
	w.goatcounter.count({
		event: true,
		path: set.goatcounterClick || el.name || el.id,
		title: set.goatcounterTitle || el.title || el.innerHTML.slice(0, 200).replace(/[\uD800-\uDBFF]$/, ''),
		referrer: set.goatcounterReferrer || set.goatcounterReferral || '',
		no_session: /^(1|t|true)$/.test(set.goatcounterNoSession),
		props: set.goatcounterProps
	})
}
gc.bind_events = function() {
	d.querySelectorAll('[data-goatcounter-click]').forEach(function(el) {
		on(el, 'click', doc.click)
		on(el, 'auxclick', doc.click)
	})
}

function event(name, props) {
	w.goatcounter.count({event: true, path: name, title: '', referrer: '', props: props, page: path()})
}
function follow(e) {
	var el = e.target, link = el.closest && el.closest('a[href],area[href]'), set = w.goatcounter, types = set.downloads
	// The right button opens a menu, others go back; and an element with an event of its own is counted by that.
	if (!link || e.button > 1 || !/^http/.test(link.protocol) || el.closest('[data-goatcounter-click]')) return
	if (set.outbound && elsewhere(link)) event('Outbound Link: Click', {url: link.href})
	else if (types && RegExp('\\.(' + (types === true ? TYPES : [].concat(types).join('|')) + ')$', 'i').test(link.pathname))
		event('File Download', {url: link.href.split(/[?#]/)[0]})
}
function missing() {
	var asked = w.performance && performance.getEntriesByType && performance.getEntriesByType('navigation')[0]
	// A page that replaces its content has the answer of the first address for ever.
	return d.querySelector('[data-goatcounter-not-found]') ||
		w.goatcounter.not_found && asked && asked.responseStatus == 404 && doc.path == at.pathname
}

gc.visit_count = function(opt) {
	opt = opt || {}
	ready(function() {
		var type = opt.type || 'html', el = d.createElement(type == 'html' ? 'iframe' : 'img')
		el.frameBorder = 0
		el.src = (tag().goatcounter || gc.endpoint) + 'er/' + enc(opt.path || path()) + '.' + type +
			query({no_branding: opt.no_branding, style: opt.style, start: opt.start, end: opt.end})
		set = opt.attr || {width: 200, height: opt.no_branding ? 60 : 80}
		for (key in set) el.setAttribute(key, set[key])
		d.querySelector(opt.append || 'body').appendChild(el)
	})
}

function load() {
	if (!doc.due || d.hidden) return
	doc.due = 0
	w.goatcounter.count()
	if (missing()) event('404', {path: at.pathname})
}
function start() {
	if ((gc = w.goatcounter).no_onload) return
	doc.due = 1
	load()
	gc.no_events || gc.bind_events()
}

if (!doc.at) {
	doc.path = at.pathname
	on(d, 'click', follow, true) // before a listener of the page's can stop it
	on(d, 'auxclick', follow, true)
	on(w, 'hashchange', toggle)
	on(d, 'visibilitychange', load)
	on(w, 'pageshow', function(e) { e.persisted && start() })
}
toggle()
ready(start)
})(window, document, location)
