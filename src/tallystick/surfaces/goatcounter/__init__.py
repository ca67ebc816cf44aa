"""GoatCounter: the pixel, the API, the script and the visitor counter. See README.md."""
