// Sends a form with a file and shows how much of it has arrived. Without scripts the browser sends it itself.
const begin = (form) => {
  const part = (name) => form.querySelector(`[data-${name}]`);
  const button = form.querySelector("button");

  const over = () => {
    part("sending").hidden = true;
    part("unsent").hidden = false;
    button.disabled = false;
  };

  const show = (page) => {
    const main = page?.querySelector("main");
    if (!main) return over();
    document.querySelector("main").replaceWith(main);
    main.tabIndex = -1;
    main.focus();
    const next = main.querySelector("[data-upload]");
    if (next) begin(next);
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const file = form.elements.namedItem("file").files[0];
    const large = file && file.size > form.dataset.most;
    part("too-large").hidden = !large;
    if (large) return;
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "text/html");
    request.responseType = "document"; // parsed without running anything
    request.upload.onprogress = ({ loaded, total }) => {
      part("sending").querySelector("progress").value = total ? loaded / total : 0;
    };
    request.onerror = over;
    request.onload = () => (request.status === 200 ? location.assign(request.responseURL) : show(request.response));
    part("unsent").hidden = true;
    part("sending").hidden = false;
    button.disabled = true;
    request.send(new FormData(form));
  });
};

const form = document.querySelector("[data-upload]");
if (form) begin(form);
