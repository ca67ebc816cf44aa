"""Charts as numbers and as SVG: rules of scales and labels, and documents for other pages. Pure."""
