"""Charts of our own: pure rules of scales and labels, structs that templates draw, and SVG documents for embeds."""
