// Tallystick, MIT. This is the source of busuanzi.js: tools/make_count_js.py makes it small.
(function(w, d, at) {
// A module is no current script, but the stack of an error says where it came from.
var from = (d.currentScript || 0).src || (/https?:[^\s()@]*\/busuanzi\.js/.exec(Error().stack) || [at.href])[0]
var base = new URL('.', from).href, YEAR = 365 * 24 * 3600 * 1000, IGNORE = 'tally-ignore'
var ROBOT = /[^u]bot|crawl|spider/i // Cubot makes phones

function ignored() { try { return navigator.webdriver || ROBOT.test(navigator.userAgent) || localStorage.getItem(IGNORE) } catch (e) {} }
function ignore(on) {
	try {
		var before = !!localStorage.getItem(IGNORE)
		on ? localStorage.setItem(IGNORE, 1) : localStorage.removeItem(IGNORE)
		return before != on
	} catch (e) {}
}
function choose() {
	var wish = {'#tally-ignore': true, '#tally-count': false}[at.hash]
	if (wish !== undefined && ignore(wish)) alert(wish ?
		'You are no longer counted here. #tally-count undoes it.' : 'You are counted here.')
}

// services/counting/page_keys.py does the same.
function namespaceOf(host) { return host.toLowerCase().replace(/[^\w.-]/g, '').slice(0, 64).padStart(3, '.') }
function pageOf(path) {
	try { path = decodeURIComponent(path) } catch (e) {}
	path = path.replace(/\/$/, '').replace(/\/index\.html$/, '').replace(/\/index\.htm$/, '').replace(/\/index$/, '') || '/'
	var hash = 0xcbf29ce484222325n
	new TextEncoder().encode(path).forEach(function(byte) {
		hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
	})
	var words = path == '/' ? 'index' : path.replace(/[^\w-]+/g, '-').replace(/^-+/, '').slice(0, 39).replace(/-+$/, '')
	return '.' + (words || 'page') + '.' + hash.toString(16).padStart(16, '0')
}

function elements(kind, id) { return d.querySelectorAll(kind.map(function(name) { return '#' + name + id }).join()) }
function fill(id, value) {
	elements(['busuanzi_value_', 'vercount_value_', 'busuanzi_'], id).forEach(function(el) { el.textContent = value })
	show(id, 'inline')
}
function show(id, display) {
	elements(['busuanzi_container_', 'vercount_container_'], id).forEach(function(el) { el.style.display = display })
}

function first(key) { // whether this browser was not here within a year
	try {
		var before = localStorage.getItem('tally-' + key)
		return !(Date.now() - before < YEAR) && !localStorage.setItem('tally-' + key, Date.now())
	} catch (e) {}
}
function count(id, key, counts) {
	if (/uv$/.test(id)) counts = counts && first(key)
	fetch(base + (counts ? 'hit/' : 'get/') + namespaceOf(at.hostname) + '/' + key, {credentials: 'omit', keepalive: true})
		.then(function(response) { return response.ok ? response.text() : Promise.reject() })
		.then(function(body) { fill(id, /"value":(-?\d+)/.exec(body)[1]) })
		.catch(function() { show(id, 'none') })
}
function run() {
	var here = at.href.split('#')[0], page = pageOf(at.pathname), counts = !ignored() && w._busuanzi != here
	w._busuanzi = here
	count('site_pv', 'site_pv', counts)
	count('site_uv', 'site_uv', counts)
	count('page_pv', 'page_pv' + page, counts)
	if (elements(['busuanzi_value_', 'vercount_value_', 'busuanzi_'], 'page_uv')[0]) count('page_uv', 'page_uv' + page, counts)
}
function start() {
	if (d.prerendering) d.addEventListener('prerenderingchange', run, {once: true})
	else run()
}

choose()
w._busuanzi || w.addEventListener('hashchange', choose)
if (/^http/.test(at.protocol)) d.readyState == 'loading' ? d.addEventListener('DOMContentLoaded', start) : start()
})(window, document, location)
