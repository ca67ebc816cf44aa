// Behind a proxy the server may not know the address under which it was reached. The browser does.
const serverOrigin = document.documentElement.dataset.origin;

if (serverOrigin !== location.origin) {
  for (const code of document.querySelectorAll("code")) {
    if (code.textContent.includes(serverOrigin)) {
      code.textContent = code.textContent.replaceAll(serverOrigin, location.origin);
    }
  }
}
