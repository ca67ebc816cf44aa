"""Calls ``goatcounter-mcp-server`` and prints what it said as JSON.

Arguments: the server's URL, a token, a JSON list of ``[tool, arguments]``. Tools are called as an assistant calls
them; ``client.NAME`` calls the API client behind them, whose errors the tools keep to themselves.
"""

import asyncio
import json
import logging
import sys

# Installed by the test, in a folder of their own.
from fastmcp import Client  # type: ignore[import-not-found]
from goatcounter_mcp_server import server  # type: ignore[import-not-found]

url, token, calls = sys.argv[1:]
logging.disable()
# The address of the hosted service is a constant in it, so its own client is made here.
api = server._api_client_instance = server.GoatcounterApiClient(  # noqa: SLF001
    "-", token, base_url_template=url
)


async def called(client: Client, tool: str, arguments: dict[str, object]) -> object:
    if not tool.startswith("client."):
        content = await client.call_tool(tool, arguments)
        return json.loads(content[0].text)
    try:
        return await getattr(api, tool.removeprefix("client."))(**arguments)
    except server.GoatcounterApiClientError as error:
        return str(error)


async def main() -> list[object]:
    async with Client(server.mcp) as client:
        return [await called(client, tool, arguments) for tool, arguments in json.loads(calls)]


sys.stdout.write(json.dumps(asyncio.run(main())))
