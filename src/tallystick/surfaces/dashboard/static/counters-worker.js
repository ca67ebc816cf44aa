// Keeps the pages of counters that were looked at, and what they are drawn with, so that an installed counter opens
// without a network. With one, pages always come from the server.
const COUNTERS = location.pathname.replace(/\/worker\.js$/, "");
const BASE = COUNTERS.replace(/\/counters$/, "");
const CACHE = `tallystick-counters${BASE}`;
const MOST_KEPT = 60;

const keep = async (request, response) => {
  const cache = await caches.open(CACHE);
  await cache.put(request, response);
  const kept = await cache.keys();
  await Promise.all(kept.slice(0, Math.max(0, kept.length - MOST_KEPT)).map((old) => cache.delete(old)));
};
const page = async (request) => {
  // What is said once, such as that a counter was created, is not kept.
  const plain = request.url.split("?")[0];
  let response;
  try {
    response = await fetch(request);
  } catch (error) {
    const cache = await caches.open(CACHE);
    const kept = await cache.match(plain);
    if (kept) return kept;
    throw error;
  }
  if (response.redirected || response.type === "opaqueredirect") await caches.delete(CACHE); // to the login
  else if (response.ok && request.url === plain) await keep(plain, response.clone());
  return response;
};
const file = async (request) => {
  const kept = await caches.match(request);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) await keep(request, response.clone());
  return response;
};

const isPage = (path) => path.startsWith(COUNTERS) && /^(\/[0-9a-f-]{36})?$/.test(path.slice(COUNTERS.length));

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate" && isPage(pathname)) event.respondWith(page(request));
  else if (pathname.startsWith(`${BASE}/static/`)) event.respondWith(file(request));
});
