// Shows how many visitors there are now, in elements with data-live-number and in the title, and lets the page's
// other modules know by the event "tallystick-now". One connection a page, closed while the page is hidden.
const [first] = document.querySelectorAll("[data-live]");
const title = document.title;
const format = new Intl.NumberFormat(document.documentElement.lang);
let stream;

const show = ({ visitors, newest }) => {
  const text = format.format(visitors);
  for (const number of document.querySelectorAll("[data-live-number]")) {
    if (number.textContent !== text) number.textContent = text;
  }
  document.title = `(${text}) ${title}`;
  dispatchEvent(new CustomEvent("tallystick-now", { detail: { visitors, newest } }));
};

const close = () => {
  stream?.close();
  stream = undefined;
};

const follow = () => {
  if (document.hidden) return close();
  if (stream) return;
  stream = new EventSource(first.dataset.live);
  stream.addEventListener("now", (event) => show(JSON.parse(event.data)));
  // Nobody may read it any more; the page says so when it is loaded again.
  stream.addEventListener("ended", () => {
    removeEventListener("visibilitychange", follow, true);
    close();
  });
};

if (first && "EventSource" in window) {
  addEventListener("visibilitychange", follow, true);
  addEventListener("pagehide", close);
  addEventListener("pageshow", follow);
  follow();
}
