{
  // Buttons that count: a press is kept in this browser until the server has answered, is shown at once, and is sent
  // again until it is counted. Its id lets the server count it once, however often it arrives. Without scripts the
  // buttons are ordinary forms.
  const main = document.querySelector("[data-counters]");
  const said = document.querySelector("[data-pressed]");
  const forms = document.querySelectorAll("form[data-press]");
  const asOf = document.querySelector("[data-as-of]");
  const QUEUE = `tallystick-presses-${main.dataset.person}`;
  const base = document.documentElement.dataset.base ?? "";
  const COUNTERS = `${base}/counters`;
  // What was seen last is kept beside the pages, so that it ends with them at logout.
  const SEEN = `${COUNTERS}/seen/${main.dataset.person}`;
  const STILL_MS = 60_000;
  const AGAIN_MS = 5_000;
  // The server knows ids for a day: what was tried before that may have been counted, and nobody can tell.
  const TRIED_MS = 20 * 3_600_000;
  const { lang, dataset: chosen } = document.documentElement;
  const numbers = new Intl.NumberFormat(lang);
  const formatted = (number) => numbers.format(number).replace(/[.,]/g, chosen.group ?? "$&");
  const counters = new Map();
  const seen = new Map(); // by counter: value, version, and when the server said so last
  let kept = [];
  let live = false; // whether the server tells of each change
  let sending; // a promise while presses are sent
  let stuck = false; // whether what is left has to wait
  let timer;
  let flying; // the press that is on its way

  const read = () => {
    try {
      return JSON.parse(localStorage.getItem(QUEUE)) ?? [];
    } catch {
      return kept;
    }
  };
  const write = (queue) => {
    kept = queue;
    try {
      localStorage.setItem(QUEUE, JSON.stringify(queue));
    } catch {
      // without storage presses are kept as long as the page is open
    }
  };
  const change = (id, changes) => write(read().map((item) => (item.id === id ? { ...item, ...changes } : item)));
  const drop = (id) => write(read().filter((item) => item.id !== id));
  // crypto.randomUUID exists only behind TLS.
  const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

  const show = (name) => {
    const counter = counters.get(name);
    if (!counter) return;
    let value = counter.value;
    for (const item of read()) {
      if (item.counter !== name || item.press === "undo") continue;
      value += item.press === "up" ? BigInt(item.amount) : -BigInt(item.amount);
    }
    counter.number.textContent = formatted(value);
    if (counter.progress) counter.progress.value = Number(value);
  };
  const say = (text) => {
    if (said && said.textContent !== text) said.textContent = text;
  };
  const sayWaiting = () => {
    const waiting = read().length;
    if (waiting) say(waiting === 1 ? said.dataset.waitingOne : said.dataset.waitingMany.replace("#", formatted(waiting)));
    else if (said?.textContent) say(said.dataset.sent);
  };
  const take = (name, value, version) => {
    const counter = counters.get(name);
    if (!counter || version < counter.version) return;
    if (flying?.counter === name) {
      // It may have the press on its way in it, which would be shown twice.
      counter.later = { value, version };
      return;
    }
    Object.assign(counter, { value: BigInt(value), version });
    show(name);
  };

  const keep = async () => {
    await restored;
    const cache = await window.caches?.open(`tallystick-counters${base}`);
    await cache?.put(SEEN, new Response(JSON.stringify(Object.fromEntries(seen))));
  };
  const note = (name, value, version) => {
    if (!(seen.get(name)?.version > version)) seen.set(name, { value: `${value}`, version, at: Date.now() });
  };
  const touch = () => {
    for (const item of seen.values()) item.at = Date.now();
    keep().catch(() => {});
  };
  const restored = (async () => {
    const answer = await window.caches?.match(SEEN);
    for (const [name, item] of Object.entries((await answer?.json()) ?? {})) {
      if (seen.has(name)) continue;
      seen.set(name, item);
      // This page may be older.
      if (item.version > counters.get(name)?.version) take(name, item.value, item.version);
    }
  })().catch(() => {});
  const time = (at) => {
    const day = new Date(at).toDateString() === new Date().toDateString() ? undefined : "medium";
    return new Intl.DateTimeFormat(lang, { dateStyle: day, timeStyle: "short", hourCycle: asOf.dataset.clock }).format(at);
  };
  const lost = async () => {
    if (live) touch();
    live = false;
    await restored;
    if (!asOf || stream?.readyState === 1) return;
    const items = [...counters.keys()].map((name) => [name, seen.get(name)]);
    for (const [name, item] of items) if (item) take(name, item.value, item.version);
    const known = items.every(([, item]) => item);
    asOf.textContent = known ? asOf.dataset.asOf.replace("#", time(Math.min(...items.map(([, { at }]) => at)))) : asOf.dataset.old;
  };

  const send = async (item) => {
    const fields = { ...item, token: document.querySelector("input[name=token]").value };
    return fetch(`${COUNTERS}/${item.counter}`, {
      method: "POST",
      body: new URLSearchParams(fields),
      headers: { accept: "application/json" },
      redirect: "manual",
    });
  };
  // Returns whether the next press may be sent.
  const sent = async (item) => {
    if (item.tried && Date.now() - item.tried > TRIED_MS) {
      drop(item.id);
      say(`${said.dataset.tooOld} 1`);
      return true;
    }
    if (!item.tried) change(item.id, { tried: Date.now() });
    let answer;
    let told;
    flying = item; // until all of the answer is here
    try {
      answer = await send(item);
      told = await answer.json().catch(() => ({}));
    } catch {
      return false;
    } finally {
      flying = undefined;
    }
    if (answer.type === "opaqueredirect" || answer.status === 403) {
      say(said.dataset.loggedOut);
      return undefined;
    }
    if (answer.status >= 500 || answer.status === 429 || answer.status === 408) return false;
    drop(item.id);
    if (answer.ok) {
      note(item.counter, told.value, told.version);
      keep().catch(() => {});
      take(item.counter, told.value, told.version);
    }
    else say(`${said.dataset.refused} ${told.error ?? answer.status}`);
    const later = counters.get(item.counter)?.later;
    if (later) take(item.counter, later.value, later.version);
    show(item.counter);
    return true;
  };
  const flush = async () => {
    clearTimeout(timer);
    const waited = stuck;
    stuck = false;
    for (let item; !stuck && (item = read()[0]); ) {
      const goOn = await sent(item);
      stuck = !goOn;
      if (goOn === false) {
        sayWaiting();
        timer = setTimeout(start, AGAIN_MS);
      }
    }
    if (waited && !stuck) sayWaiting();
  };
  // One tab sends at a time, each press after the ones before it.
  const start = () => {
    sending ??= (navigator.locks ? navigator.locks.request(QUEUE, flush) : flush()).finally(() => {
      sending = undefined;
    });
    return sending;
  };

  for (const place of document.querySelectorAll("[data-counter]")) {
    const number = place.querySelector("[data-value]");
    const { counter, version } = place.dataset;
    const progress = place.querySelector("progress");
    counters.set(counter, { number, progress, value: BigInt(number.dataset.value), version: Number(version) });
    show(counter);
  }
  for (const form of forms) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const counter = form.closest("[data-counter]").dataset.counter;
      const amount = form.elements.amount.value;
      write([...read(), { id: newId(), counter, press: event.submitter.value, amount }]);
      say("");
      show(counter);
      // What was pressed while others are sent is found by the same loop, or by this one.
      start().then(() => read().length && !stuck && start());
    });
  }
  addEventListener("online", start);
  addEventListener("storage", ({ key }) => key === QUEUE && counters.forEach((_, name) => show(name)));

  let stream;
  const follow = () => {
    if (document.hidden || stream) return;
    stream = new EventSource(main.dataset.counters);
    stream.addEventListener("counters", ({ data }) => {
      for (const { counter, value, version, gone } of JSON.parse(data)) {
        if (gone) seen.delete(counter);
        else note(counter, value, version);
        if (!gone) take(counter, value, version);
        else if (main.dataset.gone && counters.has(counter)) say(main.dataset.gone);
      }
      live = true;
      touch();
      if (asOf) asOf.textContent = "";
      if (read().length) start();
    });
    stream.addEventListener("ended", () => stream.close());
    stream.addEventListener("error", lost);
  };
  const close = () => {
    stream?.close();
    stream = undefined;
    live = false;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : follow()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", follow);
  if (counters.size) follow();
  setInterval(() => live && touch(), STILL_MS);
  if ("serviceWorker" in navigator) {
    const WORKER = `${COUNTERS}/worker.js`;
    const policy = window.trustedTypes?.createPolicy("tallystick", { createScriptURL: () => WORKER });
    navigator.serviceWorker.register(policy ? policy.createScriptURL(WORKER) : WORKER, { scope: COUNTERS }).catch(() => {});
  }
  if (read().length) {
    sayWaiting();
    start();
  }
}
