{
  // Keys that follow links of the page. They can be turned off in the list of keys, because screen readers and voice
  // input have keys of their own.
  const OFF = "tallystick-keys-off";
  const isOff = () => {
    try {
      return localStorage.getItem(OFF) === "1";
    } catch {
      return false;
    }
  };
  const links = {
    c: () => document.querySelector("[data-compare]:not([aria-current])"),
    x: () => document.querySelector("[data-clear]") ?? document.querySelector("[data-remove]"),
  };
  const showList = () => {
    const [place, dialog] = document.querySelectorAll(".keys");
    const list = place?.querySelector("div");
    if (!list) return; // the end of the page is still missing
    dialog.querySelector("form").before(list);
    dialog.addEventListener("close", () => place.append(list), { once: true });
    dialog.showModal(); // Esc closes it, and the focus is back where it was
  };
  const press = (event) => {
    const { key, target } = event;
    if (isOff() || event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.defaultPrevented) return;
    if (document.querySelector("dialog[open]")) return;
    if (target.closest("input, select, textarea, [contenteditable]")) return;
    if (key === "Escape") {
      for (const menu of document.querySelectorAll("main details.menu[open], .chips details[open]")) menu.open = false;
      return;
    }
    if (key === "?") {
      showList();
    } else if (key === "/") {
      document.querySelector(".search [type=search]")?.focus();
    } else {
      if (target.closest("svg, table")) return; // charts have arrow keys of their own
      const link = links[key]?.() ?? document.querySelector(`a[data-key="${CSS.escape(key)}"]`);
      if (!link) return;
      link.click();
    }
    event.preventDefault();
  };
  const offer = () => {
    const choice = document.querySelector(".keys input");
    if (!choice) return;
    choice.checked = !isOff();
    choice.closest("label").hidden = false;
    choice.addEventListener("change", () => {
      try {
        localStorage.setItem(OFF, choice.checked ? "0" : "1");
      } catch {
        // without storage the choice holds for nothing
      }
    });
  };
  offer();
  addEventListener("tallystick-swapped", offer);
  addEventListener("keydown", press);
}
