// Behind a proxy the server cannot know under which address a person reached it. The browser does.
const told = document.documentElement.dataset.origin;

if (told !== location.origin) {
  for (const code of document.querySelectorAll("code")) {
    if (code.textContent.includes(told)) {
      code.textContent = code.textContent.replaceAll(told, location.origin);
    }
  }
}
