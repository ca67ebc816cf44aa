// Tallystick, MIT. This is the source of countapi.js: tools/make_count_js.py makes it small.
(function(w, d, at) {
// A module is no current script, but the stack of an error says where it came from.
var from = (d.currentScript || 0).src || (/https?:[^\s()@]*\/countapi\.js/.exec(Error().stack) || [at.href])[0]
var base = new URL('.', from).href
var LEGAL = /^[A-Za-z0-9_\-.]{3,64}$/, IGNORE = 'tally-ignore', enc = encodeURIComponent
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

function reserved(name) { return name == ':HOST:' || name == ':PATHNAME:' }
function legal(name) { return LEGAL.test(name) || reserved(name) }
function shown() { // a page that is made ahead of time is not seen yet
	return d.prerendering ? new Promise(function(go) { d.addEventListener('prerenderingchange', go, {once: true}) }) :
		Promise.resolve()
}

function validatePath(namespace, key) {
	if (key === undefined) {
		if (namespace === undefined) return Promise.reject('Missing key')
		key = namespace
		namespace = undefined
	}
	if (!legal(key)) return Promise.reject('Key must match ' + LEGAL + '. Got \'' + key + '\'')
	if (namespace === undefined) return Promise.resolve({path: '' + key})
	if (!legal(namespace)) return Promise.reject('Namespace must match ' + LEGAL + ' or be empty. Got \'' + namespace + '\'')
	return Promise.resolve({path: namespace + '/' + key})
}
function validateTuple(namespace, key, value) {
	if (value === undefined) {
		if (key === undefined) return Promise.reject('Missing key or value')
		value = key
		key = undefined
	}
	if (typeof value != 'number') return Promise.reject('Value is NaN')
	return validatePath(namespace, key).then(function(named) { return {value: value, path: named.path} })
}

function finish(response) {
	var status = response.status
	if ([200, 400, 403, 404].indexOf(status) < 0) return Promise.reject('Response from server: ' + status)
	return response.json().then(function(body) {
		if (status == 400) return Promise.reject(body.error)
		return Object.assign({status: status, path: response.headers.get('X-Path')}, body)
	})
}
function ask(path, query) {
	// Across origins browsers do not send the path of a page, which the reserved words stand for.
	if (/:(HOST|PATHNAME):/.test(decodeURIComponent(path + query)) && /^http/.test(at.protocol))
		query += (query ? '&' : '') + 'page=' + enc(at.origin + at.pathname)
	return fetch(base + path + (query && '?' + query), {credentials: 'omit', keepalive: true}).then(finish)
}
function read(verb) {
	return function(namespace, key) {
		return validatePath(namespace, key).then(function(named) { return ask(verb + '/' + named.path, '') })
	}
}
function change(verb, parameter) {
	return function(namespace, key, value) {
		return (parameter ? validateTuple : validatePath)(namespace, key, value).then(function(named) {
			return shown().then(function() {
				return ask(verb + '/' + named.path, parameter ? parameter + '=' + enc(named.value) : '')
			})
		})
	}
}

var hit = change('hit'), get = read('get')
w.countapi = {
	get: get,
	set: change('set', 'value'),
	update: change('update', 'amount'),
	hit: hit,
	info: read('info'),
	create: function(options) {
		return shown().then(function() {
			return ask('create', Object.keys(options || {}).map(function(name) {
				return enc(name) + '=' + enc(options[name])
			}).join('&'))
		})
	},
	stats: function() { return ask('stats', '') },
	visits: function(page) { return (ignored() ? get : hit)(':HOST:', page || ':PATHNAME:') },
	event: function(name) { return hit(':HOST:', name) },
	ignore: function(on) { ignore(on !== false) },
	validatePath: validatePath,
	validateTuple: validateTuple
}
choose()
w.addEventListener('hashchange', choose)
})(window, document, location)
