#!/usr/bin/env bash
# mcp 2.3.0: text that happens to be JSON does not reach a parameter that may be None, and reaches one of type str.
#
# Expected: `note: str | None` takes every text. Seen: the text is parsed first unless the annotation is exactly str, and the list or
# object that comes out is refused as "not a valid string".
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

server = MCPServer("notes")


@server.tool()
def optional(note: str | None = None) -> str:
    return repr(note)


@server.tool()
def plain(note: str = "") -> str:
    return repr(note)


async def main() -> None:
    async with Client(server) as client:
        answers = {
            (tool, note): await client.call_tool(tool, {"note": note})
            for tool in ("optional", "plain")
            for note in ("a word", "[1, 2]")
        }
    for (tool, note), answer in answers.items():
        print("mcp", version("mcp"), "|", tool, repr(note), "| error:", answer.is_error)
    assert [answer.is_error for answer in answers.values()] == [False, True, False, False]


anyio.run(main)
PYTHON
