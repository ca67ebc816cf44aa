// Counts this visit, and one more for each press of the button.
const form = document.querySelector("form.counter");
const number = form.querySelector("output");
const note = form.querySelector("[role=status]");

async function count() {
  try {
    const answer = await fetch(form.action, { method: "POST" });
    const body = await answer.json();
    // A counter that may not be added to (403) still tells its value: anyone can have made this one with such bounds.
    if (!answer.ok && answer.status !== 403) {
      throw new Error(body.error);
    }
    const { lang, dataset: chosen } = document.documentElement;
    number.textContent = body.value.toLocaleString(lang).replace(/[.,]/g, chosen.group ?? "$&");
    note.textContent = answer.ok ? "" : note.dataset.refused;
  } catch {
    note.textContent = note.dataset.failed;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  count();
});
count();
