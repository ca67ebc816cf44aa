{
  // The value of a public counter as it changes.
  const main = document.querySelector("[data-live]");
  const number = main.querySelector("[data-value]");
  const { lang, dataset: chosen } = document.documentElement;
  const format = new Intl.NumberFormat(lang);
  let stream;
  const follow = () => {
    if (document.hidden || stream) return;
    stream = new EventSource(main.dataset.live);
    // JavaScript's numbers do not hold 64 bits.
    stream.addEventListener("message", ({ data }) => {
      const value = /"value":(-?\d+)/.exec(data);
      if (value) number.textContent = format.format(BigInt(value[1])).replace(/[.,]/g, chosen.group ?? "$&");
    });
    stream.addEventListener("deleted", () => {
      document.querySelector("[data-gone]").hidden = false;
    });
  };
  const close = () => {
    stream?.close();
    stream = undefined;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : follow()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", follow);
  follow();
}
