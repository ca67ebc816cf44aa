{
  // Shows a badge, and what is pasted for it, while its form is filled in.
  const form = document.querySelector("[data-badge]");
  const preview = document.getElementById("preview");
  const policy = window.trustedTypes?.createPolicy("tallystick", { createHTML: (text) => text });
  let timer, request;

  const show = async () => {
    request?.abort();
    request = new AbortController();
    const given = [...new FormData(form)].filter(([, value]) => value);
    const address = `${form.action}?${new URLSearchParams(given)}`;
    try {
      const answer = await fetch(address, { signal: request.signal });
      const text = await answer.text();
      const page = new DOMParser().parseFromString(policy?.createHTML(text) ?? text, "text/html");
      preview.src = page.getElementById("preview").getAttribute("src");
      preview.alt = page.getElementById("preview").alt;
      if (!answer.ok) return; // the picture says what is wrong
      for (const snippet of document.querySelectorAll("code[id]")) {
        snippet.textContent = page.getElementById(snippet.id).textContent;
      }
      history.replaceState(history.state, "", address);
    } catch {
      // the button still works
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(show, 300);
  });
}
