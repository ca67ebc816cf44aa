{
  // Keys that follow links of the page. They can be turned off in the list of keys, because screen readers and voice
  // input have keys of their own.
  const list = document.querySelector("details.keys");
  const choice = list?.querySelector("input");
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
  const press = (event) => {
    const { key, target } = event;
    if (isOff() || event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (target.closest("input, select, textarea, [contenteditable]")) return;
    if (key === "Escape") {
      for (const menu of document.querySelectorAll("main details.menu[open], .chips details[open]")) menu.open = false;
      return;
    }
    if (key === "?") {
      list.open = true;
      list.querySelector("summary").focus();
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
  if (list) {
    choice.checked = !isOff();
    choice.closest("label").hidden = false;
    choice.addEventListener("change", () => {
      try {
        localStorage.setItem(OFF, choice.checked ? "0" : "1");
      } catch {
        // without storage the choice holds for nothing
      }
    });
    addEventListener("keydown", press);
  }
}
