"""Charts of our own: structs that templates draw, words, and SVG documents for embeds; scales are in ``web/charts``."""
