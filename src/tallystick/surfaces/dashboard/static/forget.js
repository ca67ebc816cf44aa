// Pages of counters that were kept to be shown without a network end with the login.
if ("caches" in window) caches.delete(`tallystick-counters${document.documentElement.dataset.base ?? ""}`);
