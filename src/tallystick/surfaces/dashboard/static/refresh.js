// Loads parts of the page again, marked by an id and data-refreshed, when live.js has news or while something in the
// page is at work (data-working), and moves on to the statistics when the first hit of a site has arrived. Without
// scripts there is a link that does the same, or the page is loaded again as a whole. What is marked data-lost is shown
// while the server does not answer.
const LEAST_MS = 2_000;
const AGAIN_MS = 20_000;
const waiting = document.querySelector("[data-arrived]");
let last = Date.now();
let timer;

const page = () =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.responseType = "document"; // parsed without running anything
    request.onload = () => (request.status === 200 && request.response ? resolve(request.response) : reject());
    request.onerror = reject;
    request.send();
  });

const lost = (hidden) => {
  for (const text of document.querySelectorAll("[data-lost]")) text.hidden = hidden;
};

const refresh = async () => {
  timer = undefined;
  if (document.hidden) return;
  last = Date.now();
  try {
    const loaded = await page();
    lost(true);
    for (const part of document.querySelectorAll("[data-refreshed]")) {
      const found = loaded.getElementById(part.id);
      // A part that is being read by keyboard is left as it is.
      if (found && !part.contains(document.activeElement)) part.replaceChildren(...found.childNodes);
    }
  } catch {
    lost(false); // the next news try again
  }
};

const soon = () => {
  timer ??= setTimeout(refresh, Math.max(0, last + LEAST_MS - Date.now()));
};

for (const text of document.querySelectorAll("[data-with-scripts]")) text.hidden = false;
addEventListener("tallystick-now", ({ detail }) => {
  if (waiting && detail.counted) location.assign(waiting.dataset.arrived);
  else soon();
});
if (!waiting) setInterval(soon, AGAIN_MS);
setInterval(() => document.querySelector("[data-working]") && soon(), LEAST_MS);
