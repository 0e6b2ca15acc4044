"""The server for agents: the tools under the Model Context Protocol, over standard input and output."""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib.metadata import version
from threading import Lock
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.tools import Tool
from mcp_types import CallToolResult, TextContent, ToolAnnotations

from tamis.analytics.agents.disclosure import Disclosure
from tamis.app.agents.open_studies import OpenStudies
from tamis.app.agents.tools import AgentTools
from tamis.data.errors import TamisError
from tamis.data.workspace import Workspace

_INSTRUCTIONS = (
    "Tamis measures corpora of training data and keeps recipes of rules that decide which documents stay. Begin with"
    " list_corpora and describe_corpus. Every count is exact. Tools that read change nothing. {texts} {proposals}"
)
_TEXTS = ("Texts do not leave: work with ids, counts and signals.", "Texts of documents may be read.")
_PROPOSALS = (
    "Recipes cannot be proposed here; give yours to the person you work for.",
    "A recipe is proposed with propose_recipe and its reasons; only a person approves it.",
)


def agent_server(
    workspace: Workspace,
    *,
    corpora: tuple[str, ...] = (),
    texts: bool = False,
    person: str = "",
    seconds: float = 60,
) -> MCPServer[Any]:
    """Return the server over the corpora of a workspace.

    Args:
        workspace: holds them.
        corpora: names of those that may be asked about; all by default.
        texts: whether texts may leave.
        person: in whose name agents propose recipes; empty: they may not.
        seconds: the longest estimated measurement that a question may start.

    Raises:
        SettingError: a corpus is unknown.
    """
    studies = OpenStudies(workspace, corpora)
    studies.entries()
    tools = AgentTools(studies, Disclosure(texts), seconds, person)
    one_at_a_time = Lock()
    made = [
        *(_tool(function, tools.disclosure, one_at_a_time, reads=True) for function in tools.readers()),
        *(_tool(function, tools.disclosure, one_at_a_time, reads=False) for function in tools.writers()),
    ]
    return MCPServer(
        "tamis",
        title="Tamis",
        instructions=_INSTRUCTIONS.format(texts=_TEXTS[texts], proposals=_PROPOSALS[bool(person)]),
        version=version("tamis"),
        tools=made,
        log_level="WARNING",
    )


def _tool(function: Callable[..., Any], disclosure: Disclosure, lock: Lock, *, reads: bool) -> Tool:
    """Return a tool that refuses unknown arguments and answers a ``TamisError`` with its sentence."""

    @functools.wraps(function)
    def asked(**arguments: Any) -> Any:
        try:
            with lock:
                return function(**arguments)
        except TamisError as error:
            said = str(disclosure.error(error))
            return CallToolResult(content=[TextContent(type="text", text=said)], is_error=True)

    hints = ToolAnnotations(read_only_hint=reads, destructive_hint=False, idempotent_hint=reads, open_world_hint=False)
    made = Tool.from_function(asked, annotations=hints, structured_output=True)
    # A misspelt argument would be left out, and the answer would be that of another question.
    model = made.fn_metadata.arg_model
    model.model_config["extra"] = "forbid"
    model.model_rebuild(force=True)
    return made.model_copy(update={"parameters": model.model_json_schema(by_alias=True)})
