"""An agent that asks a server for agents, with the client of the package ``mcp``."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters
from mcp.server import MCPServer
from mcp_types import CallToolResult


@dataclass(frozen=True)
class Agent:
    """An agent over one server; every call is a connection of its own.

    Attributes:
        server: in this process, or the command that starts one.
        mode: how the client begins, see ``mcp.Client``.
    """

    server: MCPServer[Any] | StdioServerParameters
    mode: str = "auto"

    def tools(self) -> dict[str, Any]:
        """Return the tools by name."""

        async def ask() -> dict[str, Any]:
            async with Client(self.server, mode=self.mode) as client:
                return {tool.name: tool for tool in (await client.list_tools()).tools}

        return anyio.run(ask)

    def call(self, tool: str, **arguments: Any) -> CallToolResult:
        """Return the result of one call."""

        async def ask() -> CallToolResult:
            async with Client(self.server, mode=self.mode) as client:
                return await client.call_tool(tool, arguments)

        return anyio.run(ask)

    def ask(self, tool: str, **arguments: Any) -> Any:
        """Return the values that a tool answers."""
        result = self.call(tool, **arguments)
        assert not result.is_error, said(result)
        assert result.structured_content is not None
        return result.structured_content

    def refused(self, tool: str, **arguments: Any) -> str:
        """Return the sentence with which a tool refuses."""
        result = self.call(tool, **arguments)
        assert result.is_error, result
        return said(result)


def said(result: CallToolResult) -> str:
    """Return everything in a result as text."""
    parts = [part.model_dump_json() for part in result.content] if not result.is_error else []
    texts = [str(getattr(part, "text", "")) for part in result.content]
    return "\n".join([*texts, *parts, *([json.dumps(result.structured_content)] if result.structured_content else [])])


def command(home: Path, *options: str) -> StdioServerParameters:
    """Return the command that serves agents over a workspace."""
    program = "from tamis.app.cli.main import main; main()"
    environment = {**os.environ, "TAMIS_HOME": str(home)}
    return StdioServerParameters(command=sys.executable, args=["-c", program, "mcp", *options], env=environment)
