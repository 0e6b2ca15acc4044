#!/usr/bin/env bash
# mcp 2.3.0: a tool drops an argument that it does not have, so a misspelt filter gives the unfiltered answer.
#
# Expected: a call with an argument outside the published schema is an error. Seen: the schema has no additionalProperties, the
# argument is left out without a word, and the call succeeds.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check mcp==2.3.0 2>/dev/null
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import anyio
from mcp.client import Client
from mcp.server import MCPServer

server = MCPServer("counts")


@server.tool()
def count(where: str = "") -> int:
    return 3 if where else 1000


async def main() -> None:
    async with Client(server) as client:
        (tool,) = (await client.list_tools()).tools
        right = await client.call_tool("count", {"where": "n > 5"})
        wrong = await client.call_tool("count", {"wher": "n > 5"})
    print("mcp", version("mcp"), "| where:", right.structured_content, "| wher:", wrong.structured_content, wrong.is_error)
    assert right.structured_content == {"result": 3}
    assert wrong.structured_content == {"result": 1000} and not wrong.is_error
    assert "additionalProperties" not in tool.input_schema


anyio.run(main)
PYTHON
