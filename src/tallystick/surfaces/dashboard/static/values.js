{
  // Offers values while a filter is being typed: those that the site has in the period. Of several values with commas
  // the last one is completed; a field with data-of takes one value of that as it is. Fails silently: anything can be typed.
  const WAIT_MS = 150;
  let timer;
  let request;
  const offer = async (input) => {
    const { form } = input;
    const { of } = input.dataset;
    const [last] = of ? [input.value] : input.value.match(/(?:[^,\\]|\\.)*$/s); // a comma behind a backslash separates nothing
    const before = input.value.slice(0, input.value.length - last.length);
    const query = new URLSearchParams(new FormData(form));
    const name = query.get("add");
    const prop = of ? input.closest(".pair")?.querySelector("[name=prop]")?.value : query.get("prop");
    for (const each of of ? [...query.keys()] : ["add", "prop", "op", "value"]) query.delete(each);
    query.set("of", (of ?? name) === "prop:" ? `prop:${prop}` : (of ?? name));
    query.set("find", (of ? last : last.replace(/\\(.)/gs, "$1")).trim());
    request = new AbortController();
    try {
      const answer = await fetch(`${form.dataset.values}?${query}`, { signal: request.signal });
      const { values } = await answer.json();
      let list = input.list;
      if (!list) {
        list = document.createElement("datalist");
        list.id = `values-${document.querySelectorAll("datalist").length}`;
        form.append(list);
        input.setAttribute("list", list.id);
      }
      list.replaceChildren(...values.map(({ value, name }) => new Option(name, of ? name : before + value)));
    } catch {
      if (!of) input.list?.replaceChildren();
    }
  };
  const soon = ({ target }) => {
    if (!target.matches?.("form[data-values] :is([data-of], [name=value])")) return;
    clearTimeout(timer);
    request?.abort();
    timer = setTimeout(offer, WAIT_MS, target);
  };
  addEventListener("focusin", soon);
  addEventListener("input", soon);
}
