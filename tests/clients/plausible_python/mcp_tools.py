"""Calls the tools of ``plausible-mcp`` as an assistant calls them, and prints what they said as JSON.

Arguments: a JSON list of ``[tool, arguments]``. Refusals are text that begins with a word in brackets; they are printed
as they are.
"""

import asyncio
import json
import logging
import sys

# Installed by the test, in a folder of their own.
from mcp import Client  # type: ignore[import-not-found]
from plausible_mcp.server import mcp  # type: ignore[import-not-found]

logging.disable()


async def main() -> list[object]:
    async with Client(mcp) as client:
        said = [(await client.call_tool(*call)).content[0].text for call in json.loads(sys.argv[1])]
    return [json.loads(text) if text.startswith("{") else text for text in said]


sys.stdout.write(json.dumps(asyncio.run(main())))
