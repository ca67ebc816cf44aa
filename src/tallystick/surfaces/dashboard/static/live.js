// Shows how many visitors there are now, in elements with data-live-number and in the title, and lets other modules
// know by the event "tallystick-now". One connection a page, closed while the page is hidden. Fails silently.
const { lang, dataset: chosen } = document.documentElement;
const format = new Intl.NumberFormat(lang);
let followed = document.querySelector("[data-live]");
let title = document.title;
let latest;
let stream;

const show = (news) => {
  latest = news;
  const text = format.format(news.visitors).replace(/[.,]/g, chosen.group ?? "$&");
  const numbers = document.querySelectorAll("[data-live-number]");
  for (const number of numbers) if (number.textContent !== text) number.textContent = text;
  if (numbers.length) document.title = `(${text}) ${title}`;
  dispatchEvent(new CustomEvent("tallystick-now", { detail: news }));
};

const close = () => {
  stream?.close();
  stream = undefined;
};

const follow = () => {
  if (document.hidden || !followed) return close();
  if (stream) return;
  stream = new EventSource(followed.dataset.live);
  stream.addEventListener("now", ({ data }) => show(JSON.parse(data)));
  stream.addEventListener("ended", () => {
    followed = undefined;
    close();
  });
};

// After swap.js: another page of the same statistics, which may follow or not.
const followAgain = () => {
  followed = document.querySelector("[data-live]");
  title = document.title;
  if (followed && latest) show(latest);
  follow();
};

if ("EventSource" in window) {
  document.addEventListener("visibilitychange", follow);
  addEventListener("pagehide", close);
  addEventListener("pageshow", follow);
  addEventListener("tallystick-swapped", followAgain);
  follow();
}
