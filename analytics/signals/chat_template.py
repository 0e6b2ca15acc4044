"""Chat templates: conversations as the text that a model is trained on, and which of it the assistant says.

A template is Jinja text, a file, or the folder of a tokenizer (``chat_template.jinja``, or ``chat_template`` in its
``tokenizer_config.json``). It runs in a sandbox and reads nothing but the messages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tamis.analytics.signals.audit_tools import read_calls
from tamis.data.errors import SettingError
from tamis.data.parts import (
    ANSWER,
    ASSISTANT,
    CHOSEN,
    CONTEXT,
    OTHER,
    REJECTED,
    ROLES,
    SYSTEM,
    TEXT,
    THINKING,
    TOOL_CALL,
    TOOL_RESULT,
    Parts,
)

DATE = "26 Jul 2024"
"""What ``strftime_now`` gives, so that a template means the same on any day."""
MOST_TURNS = 200
"""Longer conversations are not rendered turn by turn: the cost grows with the square."""

Message = dict[str, Any]


class _GenerationTag(Extension):
    """The tag ``{% generation %}``, with which templates mark what the assistant says; here it only shows its body."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> nodes.Node:
        """Return the body of the tag."""
        line = next(parser.stream).lineno
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True)).set_lineno(line)


def template_text(given: str) -> str:
    """Return the text of a template: Jinja text, a file, or the folder of a tokenizer.

    Raises:
        SettingError: it is none of these, or the folder holds no template.
    """
    if "{%" in given or "{{" in given:
        return given
    path = Path(given).expanduser()
    if path.is_file() and path.name != "tokenizer_config.json":
        return path.read_text("utf-8")
    folder = path.parent if path.is_file() else path
    if (folder / "chat_template.jinja").is_file():
        return (folder / "chat_template.jinja").read_text("utf-8")
    config = folder / "tokenizer_config.json"
    if not config.is_file():
        raise SettingError(
            "Unknown chat template",
            value=given[:200],
            allowed="Jinja text, a .jinja file, or the folder of a tokenizer",
        )
    try:
        held = json.loads(config.read_text("utf-8")).get("chat_template")
    except (ValueError, AttributeError) as error:
        raise SettingError("The settings of the tokenizer cannot be read", value=str(config)) from error
    if isinstance(held, list):
        named = {item.get("name"): item.get("template") for item in held if isinstance(item, Mapping)}
        held = named.get("default")
    if not isinstance(held, str) or not held:
        raise SettingError(
            "The tokenizer has no chat template", value=str(config), fix="give the template as Jinja text"
        )
    return held


@lru_cache(maxsize=8)
def compiled(text: str) -> Template:
    """Return a template ready to run.

    Raises:
        SettingError: it is no Jinja template.
    """
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationTag, "jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _as_json
    environment.globals |= {
        "raise_exception": _refuse,
        "strftime_now": lambda _: DATE,
        "bos_token": "",
        "eos_token": "",
    }
    try:
        return environment.from_string(text)
    except TemplateError as error:
        raise SettingError("The chat template is no Jinja template", value=str(error)) from error


def _as_json(value: Any, indent: int | None = None, **_: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def messages_of(parts: Parts, row: int) -> list[Message]:
    """Return a row as the messages that a template reads; of a pair, the chosen side, which the assistant says."""
    found: list[tuple[int, Message]] = []
    for at in range(int(parts.starts[row]), int(parts.starts[row + 1])):
        role, kind, turn = int(parts.role[at]), int(parts.kind[at]), int(parts.turn[at])
        if role in (REJECTED, ANSWER):
            continue
        if kind == TOOL_RESULT or not found or found[-1][0] != turn:
            found.append((turn, {"role": _word(role, parts.words[at].as_py()), "content": ""}))
        message, text = found[-1][1], parts.texts[at].as_py()
        if kind == TOOL_CALL:
            calls = [{"name": call.name, "arguments": call.arguments or {}} for call in read_calls(text)]
            message.setdefault("tool_calls", []).extend({"type": "function", "function": call} for call in calls)
        elif kind == THINKING:
            message["reasoning_content"] = _with(message.get("reasoning_content", ""), text)
        elif kind in (TEXT, TOOL_RESULT):
            message["content"] = _with(message["content"], text)
    return [message for _, message in found]


def _word(role: int, word: str) -> str:
    if role in (SYSTEM, CONTEXT):
        return "system"
    return "assistant" if role in (ASSISTANT, CHOSEN) else word if role == OTHER else ROLES[role]


def _with(before: str, text: str) -> str:
    return f"{before}\n\n{text}" if before and text else before or text


def rendered_pieces(
    template: Template, messages: Sequence[Message], tools: Any = None
) -> list[tuple[str, bool]] | None:
    """Return a conversation as the pieces of its text, each with whether the assistant says it.

    What a message of the assistant adds after the prompt for it is said by it. Where a template is not the same text
    with one message more, or the conversation is long, only the texts of the messages are.

    Args:
        template: see ``compiled``.
        messages: of the conversation.
        tools: declared tools, None for none.

    Returns:
        Pieces that join to the whole text, or None if the template refuses the conversation.
    """
    found = rendered_spans(template, messages, tools)
    if found is None:
        return None
    whole, spans = found
    pieces, at = [], 0
    for _, begin, end in spans:
        pieces += [(whole[at:begin], False), (whole[begin:end], True)]
        at = end
    return [*pieces, (whole[at:], False)]


def rendered_spans(
    template: Template, messages: Sequence[Message], tools: Any = None, *, names: Mapping[str, str] | None = None
) -> tuple[str, list[tuple[int, int, int]]] | None:
    """Return a conversation as text, and of each message that the assistant says: its place, begin and end in the text.

    Spans are as ``rendered_pieces`` describes them.

    Args:
        template: see ``compiled``.
        messages: of the conversation.
        tools: declared tools, None for none.
        names: further names that the template reads, such as ``bos_token``.

    Returns:
        None if the template refuses the conversation.
    """
    further = dict(names or {})
    try:
        whole = _render(template, messages, tools, prompt=False, names=further)
        return whole, _spans(template, messages, tools, whole, further)
    except (TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return None


def _render(
    template: Template, messages: Sequence[Message], tools: Any, *, prompt: bool, names: Mapping[str, str]
) -> str:
    return template.render({**names, "messages": list(messages), "tools": tools, "add_generation_prompt": prompt})


def _spans(
    template: Template, messages: Sequence[Message], tools: Any, whole: str, names: Mapping[str, str]
) -> list[tuple[int, int, int]]:
    """Return place, begin and end of what the assistant says, ascending, without overlap."""
    spans: list[tuple[int, int, int]] = []
    at = 0
    for place, message in enumerate(messages):
        said = message["role"] == "assistant"
        begin = end = -1
        if said and len(messages) <= MOST_TURNS:
            before = _render(template, messages[:place], tools, prompt=True, names=names) if place else ""
            after = _render(template, messages[: place + 1], tools, prompt=False, names=names)
            if after.startswith(before) and whole.startswith(after) and len(before) >= at:
                begin, end = len(before), len(after)
        if begin < 0:
            text = message["content"].strip()
            begin = whole.find(text, at) if text else -1
            end = begin + len(text)
        if begin < 0:
            continue
        at = end
        if said:
            spans.append((place, begin, end))
    return spans
