{
  // Loads the next page of the same statistics into <main>, as far as it has come. What does not fit, is no page or
  // fails is loaded as links always are.
  const root = document.documentElement.dataset.base ?? "";
  const base = location.pathname.slice(root.length).match(/^\/(?:sites|share)\/[^/]+/)?.[0];
  const OTHERS = /\.(json|csv)$|\/(now|settings|collection|privacy|sharing|segments|views|notes|install|left-out\/.*)$/;
  const policy = window.trustedTypes?.createPolicy("tallystick", { createHTML: (text) => text });
  const news = document.createElement("p");
  let shown = location.pathname + location.search;
  let request;

  const fits = ({ origin, pathname }) =>
    origin === location.origin && `${pathname}/`.startsWith(`${root}${base}/`) && !OTHERS.test(pathname);
  const parsed = (text) => new DOMParser().parseFromString(policy?.createHTML(text) ?? text, "text/html");
  const kind = (page) =>
    [...page.querySelectorAll("head script, head [rel=stylesheet]")]
      .map((file) => file.getAttribute("src") ?? file.getAttribute("href"))
      .join(page.body.className);

  // The element of a new page that is what another one was on the page before.
  const again = (element, main) => {
    if (element.id) return main.querySelector(`#${CSS.escape(element.id)}`);
    const text = ({ ariaLabel, name, textContent }) => `${ariaLabel} ${name} ${textContent.trim()}`;
    return [...main.querySelectorAll(element.localName)].find((each) => text(each) === text(element));
  };

  // Shows a page piece by piece. Its panels come one by one, and what stands below them at the end.
  const piecewise = (entered) => {
    const before = document.querySelector("main");
    const focused = before.contains(document.activeElement) && document.activeElement;
    let main;
    return (text, isWhole) => {
      const page = parsed(text);
      const [panels, more] = [main, page].map((each) => each?.querySelector(".panels"));
      if (main) {
        panels.append(...[...more.children].slice(panels.children.length));
        while (isWhole && more.nextElementSibling) main.append(more.nextElementSibling);
      } else {
        if (kind(page) !== kind(document)) throw new Error("a page of another kind");
        entered();
        main = page.querySelector("main");
        main.tabIndex = -1;
        main.style.minHeight = `${before.offsetHeight}px`; // nothing moves while panels are missing
        before.replaceWith(main);
        document.title = page.title;
        const back = document.querySelector(".languages [name=back]");
        if (back) back.value = shown;
      }
      if (focused && [document.body, main].includes(document.activeElement)) {
        (again(focused, main) ?? main).focus({ preventScroll: true });
      }
      if (isWhole) main.style.minHeight = "";
    };
  };

  const load = async (address, pushes, scroll) => {
    request?.abort();
    request = new AbortController();
    const { signal } = request;
    document.querySelector("main").ariaBusy = "true";
    try {
      const answer = await fetch(address, { signal, headers: { accept: "text/html" } });
      const url = new URL(answer.url);
      if (!answer.redirected) url.hash = new URL(address).hash;
      if (!answer.ok || !fits(url) || !answer.headers.get("content-type")?.startsWith("text/html")) {
        throw new Error("no page of these statistics");
      }
      const show = piecewise(() => {
        if (pushes && url.href !== location.href) {
          history.replaceState({ scroll: scrollY }, "");
          history.pushState(null, "", url);
        }
        shown = location.pathname + location.search;
      });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (let read = await reader.read(); !read.done; read = await reader.read()) {
        text += read.value;
        const end = text.slice(-99).trimEnd();
        if (end.endsWith('<div class="panels">') || end.endsWith("</section>")) show(text, false);
      }
      show(text, true);
      if (scroll !== undefined) scrollTo(0, scroll);
      news.textContent = document.title;
      dispatchEvent(new CustomEvent("tallystick-swapped"));
    } catch {
      if (!signal.aborted) location.assign(address);
    }
  };

  const go = (event, url) => {
    if (fits(url)) {
      event.preventDefault();
      load(url.href, true);
    } else {
      request?.abort();
    }
  };

  if (base && window.TextDecoderStream) {
    news.className = "unseen";
    news.setAttribute("aria-live", "polite");
    document.body.append(news);
    addEventListener("click", (event) => {
      const link = event.target.closest("a[href]");
      if (!link || event.defaultPrevented || event.button || link.hasAttribute("target")) return;
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      const url = new URL(link.href.baseVal ?? link.href, location.href); // baseVal: of links in drawings
      if (url.hash && url.pathname + url.search === shown) return; // a place on this page
      go(event, url);
    });
    addEventListener("submit", (event) => {
      const form = event.target;
      if (event.defaultPrevented || form.method !== "get") return;
      const url = new URL(form.action);
      url.search = new URLSearchParams(new FormData(form, event.submitter));
      go(event, url);
    });
    addEventListener("popstate", ({ state }) => {
      if (location.pathname + location.search !== shown) load(location.href, false, state?.scroll);
    });
    addEventListener("pagehide", () => request?.abort());
  }
}
