"""Updates the local database of ``goatpie`` twice and prints what it shows as JSON.

Arguments: the server's URL, a token, a directory for its data.
"""

import json
import sys
from pathlib import Path

# Installed by the test, in a folder of its own.
from goatpie import GoatPie  # type: ignore[import-not-found]

url, token, data = sys.argv[1:]
pie = GoatPie(url, token, data)
pie.update(0)
tables = ("pages", "referrers", "browsers", "systems", "pageviews", "visits", "devices", "countries")
shown = {name: getattr(pie, f"get_{name}")().to_dict("records") for name in tables}
pie.update(0)
shown["again"] = pie.get_pages().to_dict("records")
shown["next"] = Path(data, ".next_idx").read_text()
shown["log"] = Path(data, "debug.log").read_text()
sys.stdout.write(json.dumps(shown))
