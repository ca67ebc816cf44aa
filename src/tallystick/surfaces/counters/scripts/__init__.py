"""Scripts for pages of other sites: ``static/*.source.js``, made small by ``tools/make_count_js.py``."""
